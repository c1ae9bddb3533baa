-- record_place: where is every record that was received?
--
-- grain:  landing_sequence, place, times
-- reads:  usage_rejected, usage_duplicate, usage_filtered, suspense,
--         usage_exclusion, usage_record, landing_hold, unbooked_usage,
--         uncounted_record
-- rule:   what stands in closed books is in closed_total, which counted it when it
--         closed; what stands there no more is guided minus one times

with unbooked_record as (
    select distinct
        unbooked_usage.landing_sequence,
        unbooked_usage.usage_type,
        unbooked_usage.unit,
        unbooked_usage.record_quantity
    from unbooked_usage
    where not exists (
        select 1
        from suspense
        where suspense.landing_sequence = unbooked_usage.landing_sequence
    )
)

select
    usage_rejected.landing_sequence,
    coalesce(usage_rejected.usage_type, '') as usage_type,
    '' as unit,
    cast(0 as decimal(38, 12)) as record_quantity,
    'rejected' as place,
    1 as times
from usage_rejected

union all

select
    usage_duplicate.landing_sequence,
    usage_duplicate.usage_type,
    usage_duplicate.unit,
    usage_duplicate.record_quantity,
    'duplicate' as place,
    1 as times
from usage_duplicate

union all

select
    usage_filtered.landing_sequence,
    usage_filtered.usage_type,
    usage_filtered.unit,
    usage_filtered.record_quantity,
    'filtered' as place,
    1 as times
from usage_filtered

union all

select
    usage_exclusion.landing_sequence,
    usage_exclusion.usage_type,
    usage_exclusion.unit,
    usage_exclusion.record_quantity,
    usage_exclusion.place,
    1 as times
from usage_exclusion

union all

select
    usage_record.landing_sequence,
    usage_record.usage_type,
    coalesce(usage_record.unit, '') as unit,
    coalesce(usage_record.quantity, 0) as record_quantity,
    landing_hold.place,
    1 as times
from usage_record
inner join landing_hold
    on landing_of(usage_record.landing_sequence) = landing_hold.landing_id
-- What is discarded and stands in closed books is excluded.
where not exists (
    select 1
    from usage_exclusion
    where usage_exclusion.landing_sequence = usage_record.landing_sequence
)

union all

select
    suspense.landing_sequence,
    suspense.usage_type,
    suspense.unit,
    suspense.record_quantity,
    'suspended' as place,
    1 as times
from suspense

union all

select
    unbooked_record.landing_sequence,
    unbooked_record.usage_type,
    unbooked_record.unit,
    unbooked_record.record_quantity,
    'guided' as place,
    1 as times
from unbooked_record

union all

select
    uncounted_record.landing_sequence,
    uncounted_record.usage_type,
    uncounted_record.unit,
    uncounted_record.record_quantity,
    'guided' as place,
    -1 as times
from uncounted_record
