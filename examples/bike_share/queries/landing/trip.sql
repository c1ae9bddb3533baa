-- trip: trips of the Bay Area Bike Share as usage records.
--
-- The quantity is the trip's `duration` in seconds: its clock times are cut to
-- minutes, and in the hour that the clocks repeat they are not the trip's.

select
    'babs' as source,
    file.trip_id as transaction_id,
    'trip' as usage_type,
    file.start_date as usage_start,
    file.end_date as usage_end,
    file.subscription_type as account_id,
    file.duration as quantity,
    's' as unit,
    file.bike_id,
    file.start_station,
    file.end_station,
    file.zip_code
from file
