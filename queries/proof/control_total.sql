-- control_total: is every received record in exactly one place?
--
-- grain:  landing_id, usage_type, unit, place
-- reads:  landing, usage_rejected, usage_duplicate, usage_filtered, suspense,
--         guided_usage, usage_exclusion, usage_record, landing_hold
-- rule:   received = rejected + held + discarded + duplicate + void + filtered
--         + suspended + written off + guided, which the check landing_balance
--         compares

with guided_record as (
    select distinct
        guided_usage.landing_sequence,
        guided_usage.usage_type,
        guided_usage.unit,
        guided_usage.record_quantity
    from guided_usage
    where not exists (
        select 1
        from suspense
        where suspense.landing_sequence = guided_usage.landing_sequence
    )
),

placed as (
    select
        usage_rejected.landing_sequence,
        coalesce(usage_rejected.usage_type, '') as usage_type,
        '' as unit,
        cast(0 as decimal(38, 12)) as record_quantity,
        'rejected' as place
    from usage_rejected

    union all

    select
        usage_duplicate.landing_sequence,
        usage_duplicate.usage_type,
        usage_duplicate.unit,
        usage_duplicate.record_quantity,
        'duplicate' as place
    from usage_duplicate

    union all

    select
        usage_filtered.landing_sequence,
        usage_filtered.usage_type,
        usage_filtered.unit,
        usage_filtered.record_quantity,
        'filtered' as place
    from usage_filtered

    union all

    select
        usage_exclusion.landing_sequence,
        usage_exclusion.usage_type,
        usage_exclusion.unit,
        usage_exclusion.record_quantity,
        usage_exclusion.place
    from usage_exclusion

    union all

    select
        usage_record.landing_sequence,
        usage_record.usage_type,
        coalesce(usage_record.unit, '') as unit,
        coalesce(usage_record.quantity, 0) as record_quantity,
        landing_hold.place
    from usage_record
    inner join landing_hold
        on usage_record.landing_sequence / 1000000000 = landing_hold.landing_id
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
        'suspended' as place
    from suspense

    union all

    select
        guided_record.*,
        'guided' as place
    from guided_record
)

select
    landing.landing_id,
    landing.usage_type,
    landing.unit,
    'received' as place,
    landing.record_count,
    landing.record_quantity as quantity,
    landing.id_hash
from landing

union all

select
    placed.landing_sequence / 1000000000 as landing_id,
    placed.usage_type,
    placed.unit,
    placed.place,
    count(*) as record_count,
    sum(placed.record_quantity) as quantity,
    sum(cast(row_hash(placed.landing_sequence) as decimal(38, 0))) as id_hash
from placed
group by
    placed.landing_sequence / 1000000000,
    placed.usage_type,
    placed.unit,
    placed.place
