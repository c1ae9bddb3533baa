-- trip: trips of yellow cabs as usage records.
--
-- A trip has no id; vendor, both times and both places tell the trips apart.
-- The quantity is the distance in miles, the time is that between pick-up and
-- drop-off, in New York's local time. The amounts that the cab took are kept as
-- `true_...` for comparison, and no query that rates reads them; the one fare
-- that is taken is a negotiated one, which no tariff has. Negative amounts mark
-- a void, which has an id of its own: in a file it may stand before its trip.

select
    'tlc' as source,
    concat(
        file.vendor_id,
        '/',
        file.pickup_datetime,
        '/',
        file.dropoff_datetime,
        '/',
        file.pickup_location_id,
        '/',
        file.dropoff_location_id,
        case when file.total_amount like '-%' then '/void' else '' end
    ) as transaction_id,
    case
        when file.total_amount like '-%' then 'void'
        when file.rate_code_id = '1' then 'trip/standard'
        when file.rate_code_id = '2' then 'trip/jfk'
        when file.rate_code_id = '3' then 'trip/newark'
        when file.rate_code_id = '4' then 'trip/nassau_westchester'
        when file.rate_code_id = '5' then 'trip/negotiated'
        else concat('trip/rate code ', file.rate_code_id)
    end as usage_type,
    file.pickup_datetime as usage_start,
    file.dropoff_datetime as usage_end,
    file.vendor_id as account_id,
    file.trip_distance as quantity,
    'mi' as unit,
    file.pickup_location_id,
    file.dropoff_location_id,
    file.passenger_count,
    file.payment_type,
    case when file.rate_code_id = '5' then file.fare_amount end
        as negotiated_fare,
    file.fare_amount as true_fare,
    file.extra as true_extra,
    file.mta_tax as true_state_tax,
    file.improvement_surcharge as true_improvement,
    file.congestion_surcharge as true_congestion
from file
