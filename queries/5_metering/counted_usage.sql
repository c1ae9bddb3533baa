-- counted_usage: which guided usage counts?
--
-- grain:  landing_sequence, contract_item_id, part_number
-- reads:  guided_usage, suspense
-- engine: any, so `meterhouse views` prints it
-- rule:   not what waits; what is closed stays, also where another part of its
--         record waits now

select
    guided_usage.landing_sequence,
    guided_usage.contract_item_id,
    guided_usage.part_number,
    guided_usage.cycle_start,
    guided_usage.usage_start,
    guided_usage.part_end,
    guided_usage.product_id,
    guided_usage.usage_type,
    guided_usage.unit,
    guided_usage.record_quantity,
    guided_usage.quantity,
    guided_usage.record_price,
    guided_usage.price_share,
    guided_usage.is_closed,
    guided_usage.billing_period
from guided_usage
where not exists (
    select 1
    from suspense
    where
        suspense.landing_sequence = guided_usage.landing_sequence
        and not guided_usage.is_closed
)
