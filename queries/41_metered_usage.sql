-- metered_usage: how much did an item use in a cycle, at which price?
--
-- grain:  contract_item_id, cycle_start, price_id
-- reads:  item_cycle, priced_usage

with item_total as (
    select
        priced_usage.contract_item_id,
        priced_usage.cycle_start,
        priced_usage.price_id,
        count(*) as record_count,
        sum(priced_usage.quantity) as quantity,
        sum(priced_usage.record_amount) as record_amount,
        sum(
            cast(
                row_hash(
                    priced_usage.landing_sequence,
                    priced_usage.contract_item_id,
                    priced_usage.part_number
                ) as decimal(38, 0)
            )
        ) as id_hash
    from priced_usage
    group by
        priced_usage.contract_item_id,
        priced_usage.cycle_start,
        priced_usage.price_id
)

select
    item_cycle.contract_item_id,
    item_cycle.cycle_start,
    item_cycle.price_id,
    coalesce(item_total.record_count, 0) as record_count,
    coalesce(item_total.quantity, 0) as quantity,
    coalesce(item_total.record_amount, 0) as record_amount,
    coalesce(item_total.id_hash, 0) as id_hash,
    item_cycle.billing_period
from item_cycle
left join item_total
    on item_cycle.contract_item_id = item_total.contract_item_id
    and item_cycle.cycle_start = item_total.cycle_start
    and item_cycle.price_id = item_total.price_id
