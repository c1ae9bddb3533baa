-- billed_usage: the usage that counts in the period that closes, or that its
-- corrections settle, with every part of each record.
--
-- grain:  landing_sequence, contract_item_id, part_number, closed_in
-- reads:  unbooked_usage, closed_period, suspense, usage_record
-- rule:   corrections belong to the period after all closed ones; one that closes
--         later than its successor settles none

with last_closed as (
    select
        max(closed_period.close_number) as close_number,
        max(closed_period.billing_period) as billing_period
    from closed_period
),

closing_period as (
    select
        closed_period.billing_period,
        closed_period.billing_period = last_closed.billing_period
            as has_corrections
    from closed_period
    inner join last_closed
        on closed_period.close_number = last_closed.close_number
),

closing_record as (
    select distinct
        unbooked_usage.landing_sequence,
        closing_period.billing_period as closed_in
    from unbooked_usage
    inner join closed_period
        on unbooked_usage.billing_period = closed_period.billing_period
    inner join closing_period
        on closing_period.has_corrections
        or unbooked_usage.billing_period = closing_period.billing_period
    where not exists (
        select 1
        from suspense
        where suspense.landing_sequence = unbooked_usage.landing_sequence
    )
)

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
    usage_record.id_hash,
    closing_record.closed_in,
    unbooked_usage.billing_period
from unbooked_usage
inner join closing_record
    on unbooked_usage.landing_sequence = closing_record.landing_sequence
inner join usage_record
    on closing_record.landing_sequence = usage_record.landing_sequence
