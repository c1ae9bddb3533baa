-- unpriced_fee: when had fees no price, so that nothing was charged?
--
-- grain:  product_id, gap_from, gap_to
-- reads:  price_gap, contract_item, contract
-- rule:   the part of a gap in which the item and its contract are in force

with item_gap as (
    select
        contract_item.product_id,
        contract_item.contract_item_id,
        greatest(
            price_gap.gap_from, contract_item.valid_from, contract.valid_from
        ) as gap_from,
        least(price_gap.gap_to, contract_item.valid_to, contract.valid_to)
            as gap_to
    from price_gap
    inner join contract_item
        on price_gap.contract_item_id = contract_item.contract_item_id
    inner join contract
        on contract_item.contract_id = contract.contract_id
    where contract_item.usage_type is null
)

select
    item_gap.product_id,
    item_gap.gap_from,
    item_gap.gap_to,
    count(*) as items,
    min(item_gap.contract_item_id) as one_of_them
from item_gap
where item_gap.gap_to is null or item_gap.gap_to > item_gap.gap_from
group by
    item_gap.product_id,
    item_gap.gap_from,
    item_gap.gap_to
