-- billed_usage: the usage that counts in the period that closes, or that its
-- corrections settle, with every part of each record.
--
-- grain:  landing_sequence, contract_item_id, part_number, closed_in
-- reads:  guided_usage, closed_period, booked_usage, suspense
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
    select distinct guided_usage.landing_sequence
    from guided_usage
    inner join closed_period
        on guided_usage.billing_period = closed_period.billing_period
    inner join closing_period
        on closing_period.has_corrections
        or guided_usage.billing_period = closing_period.billing_period
    where
        not exists (
            select 1
            from booked_usage
            where
                booked_usage.landing_sequence = guided_usage.landing_sequence
        )
        and not exists (
            select 1
            from suspense
            where suspense.landing_sequence = guided_usage.landing_sequence
        )
)

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
    closing_period.billing_period as closed_in,
    guided_usage.billing_period
from guided_usage
inner join closing_record
    on guided_usage.landing_sequence = closing_record.landing_sequence
cross join closing_period
