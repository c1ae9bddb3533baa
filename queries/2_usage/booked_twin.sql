-- booked_twin: which records of closed books may have come again, by one hash of their
-- identity?
--
-- grain:  landing_sequence
-- reads:  unsettled_record, booked_usage
-- engine: a table, so that the hashes of closed months are read once in a run

select distinct
    booked_usage.landing_sequence,
    booked_usage.id_hash
from unsettled_record
inner join booked_usage
    on unsettled_record.id_hash = booked_usage.id_hash
