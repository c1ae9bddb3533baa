-- booked_usage: which usage stands in closed books, as it was guided there?
--
-- grain:  landing_sequence, contract_item_id, part_number
-- reads:  billed_usage, reopened_usage
-- engine: any, so `meterhouse views` prints it
-- rule:   what is guided anew counts as if it had never closed, until its
--         correction closes

select
    billed_usage.landing_sequence,
    billed_usage.contract_item_id,
    billed_usage.part_number,
    billed_usage.cycle_start,
    billed_usage.usage_start,
    billed_usage.part_end,
    billed_usage.product_id,
    billed_usage.usage_type,
    billed_usage.unit,
    billed_usage.record_quantity,
    billed_usage.quantity,
    billed_usage.record_price,
    billed_usage.price_share,
    billed_usage.id_hash,
    billed_usage.closed_in,
    billed_usage.billing_period
from billed_usage
where not exists (
    select 1
    from reopened_usage
    where
        reopened_usage.landing_sequence = billed_usage.landing_sequence
        and reopened_usage.closed_in = billed_usage.closed_in
)
