-- guided_usage: which contract item and billing cycle own a record?
--
-- grain:  landing_sequence, contract_item_id, part_number
-- reads:  unbooked_usage, booked_usage, usage_exclusion
-- engine: any, so `meterhouse views` prints it
-- rule:   what stands in closed books keeps its guiding, with all parts of its
--         record, unless it is void now; `counted_usage` leaves out what waits

select
    unbooked_usage.landing_sequence,
    unbooked_usage.contract_item_id,
    unbooked_usage.part_number,
    unbooked_usage.cycle_start,
    unbooked_usage.usage_start,
    unbooked_usage.part_end,
    unbooked_usage.product_id,
    unbooked_usage.usage_type,
    unbooked_usage.unit,
    unbooked_usage.record_quantity,
    unbooked_usage.quantity,
    unbooked_usage.record_price,
    unbooked_usage.price_share,
    false as is_closed,
    unbooked_usage.billing_period
from unbooked_usage

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
