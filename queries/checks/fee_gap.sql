-- fee_gap: the prices of a fee follow each other without a gap of a day or less.
--
-- Such a gap comes from an end that was meant to be inclusive, and loses a day's
-- fee. One that is longer is a pause, and listed in `status`.

select
    billing_cycle.customer_id,
    billing_cycle.billing_period,
    contract_item.contract_item_id,
    contract_item.product_id,
    price_gap.gap_from as valid_to,
    price_gap.gap_to as next_valid_from,
    'write the same time in both: an end is exclusive' as mistake
from price_gap
inner join contract_item
    on price_gap.contract_item_id = contract_item.contract_item_id
inner join billing_cycle
    on contract_item.contract_id = billing_cycle.contract_id
    and price_gap.gap_from >= billing_cycle.cycle_start
    and price_gap.gap_from < billing_cycle.cycle_end
where
    contract_item.usage_type is null
    and price_gap.gap_to <= price_gap.gap_from + interval '25 hours'
