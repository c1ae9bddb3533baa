-- guided_usage: which contract item and billing cycle own a record?
--
-- grain:  landing_sequence, contract_item_id, part_number
-- reads:  guiding, closed_period, booked_usage, usage_exclusion, late_usage
-- engine: any, so `meterhouse views` prints it
-- rule:   a record that waits in `suspense` counts nowhere, though a part of it
--         may stand here, but what is closed stays; what stands in closed books
--         keeps its guiding, with all parts of its record, unless it is void now

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
    false as is_closed,
    guiding.billing_period
from guiding
where
    guiding.suspense_reason is null
    and not exists (
        select 1
        from closed_period
        where closed_period.billing_period = guiding.billing_period
    )
    and not exists (
        select 1
        from booked_usage
        where booked_usage.landing_sequence = guiding.landing_sequence
    )

union all

select
    booked_usage.landing_sequence,
    booked_usage.contract_item_id,
    booked_usage.part_number,
    booked_usage.cycle_start,
    booked_usage.usage_start,
    booked_usage.part_end,
    booked_usage.product_id,
    booked_usage.usage_type,
    booked_usage.unit,
    booked_usage.record_quantity,
    booked_usage.quantity,
    booked_usage.record_price,
    booked_usage.price_share,
    booked_usage.closed_in >= booked_usage.billing_period as is_closed,
    booked_usage.billing_period
from booked_usage
where not exists (
    select 1
    from usage_exclusion
    where usage_exclusion.landing_sequence = booked_usage.landing_sequence
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
    false as is_closed,
    late_usage.counted_period as billing_period
from late_usage
where
    late_usage.suspense_reason is null
    and not late_usage.is_ahead
