-- other_month: trips that are billed in another month than that of their file
with landed_trip as (
    select
        usage_record.usage_start,
        local_period(usage_record.usage_start, 'America/New_York')
            as billing_period,
        substr(
            landing.file_name, strpos(landing.file_name, '_sample_') + 8, 7
        ) as file_period
    from usage_record
    inner join landing
        on landing_of(usage_record.landing_sequence) = landing.landing_id
        and usage_record.usage_type = landing.usage_type
        and usage_record.unit = landing.unit
)

select
    landed_trip.file_period,
    landed_trip.billing_period,
    count(*) as trips
from landed_trip
where landed_trip.billing_period <> landed_trip.file_period
group by
    landed_trip.file_period,
    landed_trip.billing_period
order by
    landed_trip.file_period,
    landed_trip.billing_period
