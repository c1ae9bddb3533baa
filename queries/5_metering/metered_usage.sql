-- metered_usage: how much did an item use in a cycle, at which price?
--
-- grain:  contract_item_id, cycle_start, price_id, group_key
-- reads:  priced_cycle, item_total, measured_usage, record_charge
-- rule:   the sum of its records, or what the metric of its product says; what
--         records cost by themselves is added up beside it; usage counts in the
--         period of its cycle, and what an item has in another is not behind lines,
--         which the check period_balance finds

with record_total as (
    select
        record_charge.contract_item_id,
        record_charge.cycle_start,
        record_charge.price_id,
        record_charge.group_key,
        sum(record_charge.amount) as amount,
        record_charge.billing_period
    from record_charge
    group by
        record_charge.contract_item_id,
        record_charge.cycle_start,
        record_charge.price_id,
        record_charge.group_key,
        record_charge.billing_period
),

metered as (
    select
        priced_cycle.contract_item_id,
        priced_cycle.cycle_start,
        priced_cycle.price_id,
        coalesce(measured_usage.group_key, '') as group_key,
        coalesce(
            measured_usage.record_count, item_total.record_count, 0
        ) as record_count,
        coalesce(
            measured_usage.part_count, item_total.part_count, 0
        ) as part_count,
        coalesce(
            measured_usage.record_quantity, item_total.quantity, 0
        ) as record_quantity,
        coalesce(measured_usage.quantity, item_total.quantity, 0) as quantity,
        coalesce(
            measured_usage.record_amount, item_total.record_amount, 0
        ) as record_amount,
        coalesce(measured_usage.id_hash, item_total.id_hash, 0) as id_hash,
        priced_cycle.billing_period
    from priced_cycle
    left join item_total
        on priced_cycle.contract_item_id = item_total.contract_item_id
        and priced_cycle.cycle_start = item_total.cycle_start
        and priced_cycle.price_id = item_total.price_id
        and priced_cycle.billing_period = item_total.billing_period
    left join measured_usage
        on priced_cycle.contract_item_id = measured_usage.contract_item_id
        and priced_cycle.cycle_start = measured_usage.cycle_start
        and priced_cycle.price_id = measured_usage.price_id
)

select
    metered.contract_item_id,
    metered.cycle_start,
    metered.price_id,
    metered.group_key,
    metered.record_count,
    metered.part_count,
    metered.record_quantity,
    metered.quantity,
    coalesce(record_total.amount, metered.record_amount) as record_amount,
    metered.id_hash,
    metered.billing_period
from metered
left join record_total
    on metered.contract_item_id = record_total.contract_item_id
    and metered.cycle_start = record_total.cycle_start
    and metered.price_id = record_total.price_id
    and metered.group_key = record_total.group_key
    and metered.billing_period = record_total.billing_period
