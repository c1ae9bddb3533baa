-- uncounted_record: which records were counted when a period closed, and are no more?
--
-- grain:  landing_sequence, as often as it was counted
-- reads:  reopened_usage, billed_usage, usage_exclusion, booked_usage, suspense
-- rule:   what was reopened, is excluded or waits since

with reopened_record as (
    select distinct
        billed_usage.landing_sequence,
        billed_usage.usage_type,
        billed_usage.unit,
        billed_usage.record_quantity,
        billed_usage.closed_in
    from reopened_usage
    inner join billed_usage
        on reopened_usage.landing_sequence = billed_usage.landing_sequence
        and reopened_usage.closed_in = billed_usage.closed_in
)

select
    reopened_record.landing_sequence,
    reopened_record.usage_type,
    reopened_record.unit,
    reopened_record.record_quantity
from reopened_record

union all

select
    usage_exclusion.landing_sequence,
    usage_exclusion.usage_type,
    usage_exclusion.unit,
    usage_exclusion.record_quantity
from usage_exclusion
where exists (
    select 1
    from booked_usage
    where booked_usage.landing_sequence = usage_exclusion.landing_sequence
)

union all

select
    suspense.landing_sequence,
    suspense.usage_type,
    suspense.unit,
    suspense.record_quantity
from suspense
where
    exists (
        select 1
        from booked_usage
        where booked_usage.landing_sequence = suspense.landing_sequence
    )
    and not exists (
        select 1
        from usage_exclusion
        where usage_exclusion.landing_sequence = suspense.landing_sequence
    )
