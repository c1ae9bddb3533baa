-- usage_tag: night, peak, congestion; and does distance or time set the fare?
--
-- grain:  landing_sequence
-- reads:  usage_window, usage, congestion_zone
-- rule:   a trip pays congestion that begins or ends in its zone; the meter
--         counts distance from 12 mph on and time below: without the profile
--         of speeds the trip's mean decides; a clock that shows more than four
--         hours is not believed

with tagged as (
    select
        usage_window.landing_sequence,
        usage_window.tag
    from usage_window

    union all

    select
        usage.landing_sequence,
        'congestion' as tag
    from usage
    left join congestion_zone as pickup_zone
        on json_text(usage.attributes, 'pickup_location_id')
        = pickup_zone.location_id
    left join congestion_zone as dropoff_zone
        on json_text(usage.attributes, 'dropoff_location_id')
        = dropoff_zone.location_id
    where
        pickup_zone.location_id is not null
        or dropoff_zone.location_id is not null

    union all

    select
        usage.landing_sequence,
        case
            when usage.usage_end > usage.usage_start + interval '4 hours'
                then 'by_distance'
            when usage.quantity * 3600000000
                >= 12 * (
                    cast(usage.usage_end as bigint)
                    - cast(usage.usage_start as bigint)
                )
                then 'by_distance'
            else 'by_time'
        end as tag
    from usage
)

select
    tagged.landing_sequence,
    concat(
        ',', array_to_string(array_sort(array_agg(tagged.tag)), ','), ','
    ) as tags
from tagged
group by tagged.landing_sequence
