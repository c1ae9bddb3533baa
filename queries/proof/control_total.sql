-- control_total: is every received record in exactly one place?
--
-- grain:  landing_id, usage_type, unit, place
-- reads:  landing, usage_rejected, usage_duplicate, usage_filtered, suspense,
--         usage_exclusion, usage_record, landing_hold, unbooked_usage,
--         booked_usage, billed_usage, released_usage, closed_total
-- rule:   received = rejected + held + discarded + duplicate + void + filtered
--         + suspended + written off + guided, which the check landing_balance
--         compares; what stands in closed books was counted when it closed, and
--         here comes off what was released, is excluded or waits since

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
),

released_record as (
    select distinct
        billed_usage.landing_sequence,
        billed_usage.usage_type,
        billed_usage.unit,
        billed_usage.record_quantity,
        billed_usage.closed_in
    from released_usage
    inner join billed_usage
        on released_usage.landing_sequence = billed_usage.landing_sequence
        and released_usage.closed_in = billed_usage.closed_in
),

uncounted_record as (
    select
        released_record.landing_sequence,
        released_record.usage_type,
        released_record.unit,
        released_record.record_quantity
    from released_record

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
        'suspended' as place
    from suspense

    union all

    select
        unbooked_record.landing_sequence,
        unbooked_record.usage_type,
        unbooked_record.unit,
        unbooked_record.record_quantity,
        'guided' as place
    from unbooked_record
),

place_total as (
    select
        landing_of(placed.landing_sequence) as landing_id,
        placed.usage_type,
        placed.unit,
        placed.place,
        count(*) as record_count,
        sum(placed.record_quantity) as quantity,
        sum(cast(row_hash(placed.landing_sequence) as decimal(38, 0))) as id_hash
    from placed
    group by
        landing_of(placed.landing_sequence),
        placed.usage_type,
        placed.unit,
        placed.place

    union all

    select
        closed_total.landing_id,
        closed_total.usage_type,
        closed_total.unit,
        'guided' as place,
        closed_total.record_count,
        closed_total.quantity,
        closed_total.id_hash
    from closed_total

    union all

    select
        landing_of(uncounted_record.landing_sequence) as landing_id,
        uncounted_record.usage_type,
        uncounted_record.unit,
        'guided' as place,
        -count(*) as record_count,
        -sum(uncounted_record.record_quantity) as quantity,
        -sum(
            cast(row_hash(uncounted_record.landing_sequence) as decimal(38, 0))
        ) as id_hash
    from uncounted_record
    group by
        landing_of(uncounted_record.landing_sequence),
        uncounted_record.usage_type,
        uncounted_record.unit
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
    place_total.landing_id,
    place_total.usage_type,
    place_total.unit,
    place_total.place,
    sum(place_total.record_count) as record_count,
    sum(place_total.quantity) as quantity,
    sum(place_total.id_hash) as id_hash
from place_total
group by
    place_total.landing_id,
    place_total.usage_type,
    place_total.unit,
    place_total.place
having
    sum(place_total.record_count) <> 0
    or sum(place_total.quantity) <> 0
    or sum(place_total.id_hash) <> 0
