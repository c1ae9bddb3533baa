-- unbooked_usage: which contract item and billing cycle own a record that stands
-- in no closed books?
--
-- grain:  landing_sequence, contract_item_id, part_number
-- reads:  guiding, closed_period, late_usage
-- engine: any, so `meterhouse views` prints it
-- rule:   a record that waits in `suspense` counts nowhere, though a part of it
--         may stand here

select
    guiding.landing_sequence,
    guiding.contract_item_id,
    guiding.part_number,
    guiding.cycle_start,
    guiding.usage_start,
    guiding.part_end,
    guiding.product_id,
    guiding.usage_type,
    guiding.unit,
    guiding.record_quantity,
    guiding.quantity,
    guiding.record_price,
    guiding.price_share,
    guiding.billing_period
from guiding
where
    guiding.suspense_reason is null
    and not exists (
        select 1
        from closed_period
        where closed_period.billing_period = guiding.billing_period
    )

union all

select
    late_usage.landing_sequence,
    late_usage.contract_item_id,
    late_usage.part_number,
    late_usage.counted_cycle_start as cycle_start,
    -- What counts in another cycle is rated by the price that is in force there.
    greatest(
        late_usage.usage_start, late_usage.counted_cycle_start
    ) as usage_start,
    late_usage.part_end,
    late_usage.product_id,
    late_usage.usage_type,
    late_usage.unit,
    late_usage.record_quantity,
    late_usage.quantity,
    late_usage.record_price,
    late_usage.price_share,
    late_usage.counted_period as billing_period
from late_usage
where
    late_usage.suspense_reason is null
    and not late_usage.is_ahead
