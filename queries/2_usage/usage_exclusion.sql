-- usage_exclusion: which records are left out since a person voided them or wrote
-- them off, or discarded what stands in closed books?
--
-- grain:  landing_sequence
-- reads:  annulled_usage, landing_hold, booked_usage, usage_record
-- rule:   what is held has its place already

with discarded as (
    select
        booked_usage.landing_sequence,
        landing_hold.hold_name
    from landing_hold -- mostly there is none: a join keeps its first side in memory
    inner join booked_usage
        on landing_hold.landing_id = landing_of(booked_usage.landing_sequence)
    where landing_hold.place = 'discarded'
    group by
        booked_usage.landing_sequence,
        landing_hold.hold_name
)

select
    annulled_usage.landing_sequence,
    annulled_usage.usage_type,
    annulled_usage.unit,
    annulled_usage.record_quantity,
    annulled_usage.place,
    annulled_usage.reason,
    annulled_usage.replaced_by
from annulled_usage
where not exists (
    select 1
    from landing_hold
    where
        landing_hold.landing_id = landing_of(annulled_usage.landing_sequence)
)

union all

select
    usage_record.landing_sequence,
    usage_record.usage_type,
    coalesce(usage_record.unit, '') as unit,
    coalesce(usage_record.quantity, 0) as record_quantity,
    'discarded' as place,
    discarded.hold_name as reason,
    cast(null as varchar) as replaced_by
from discarded
inner join usage_record
    on discarded.landing_sequence = usage_record.landing_sequence
