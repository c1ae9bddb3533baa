-- unsettled_record: the records that do not stand in closed books, as they were
-- received.
--
-- grain:  landing_sequence
-- reads:  open_landing, usage_record, open_record, left_usage
-- rule:   what stands in closed books keeps its guiding, so nothing that comes
--         before that is asked of it again
--
-- The few come first: a join keeps its first side in memory, and reads only files and
-- rows of the other side that may meet it. What is long settled, but in no books, is
-- taken from its copies, and the files of closed months are not opened for it.

select
    usage_record.landing_sequence,
    usage_record.landing_id,
    usage_record.source,
    usage_record.transaction_id,
    usage_record.usage_type,
    usage_record.usage_start,
    usage_record.usage_end,
    usage_record.contract_id,
    usage_record.account_id,
    usage_record.vin,
    usage_record.quantity,
    usage_record.unit,
    usage_record.unit_price,
    usage_record.distance,
    usage_record.attributes,
    usage_record.id_hash,
    usage_record.fields
from open_landing
inner join usage_record
    on open_landing.landing_id = usage_record.landing_id

union all

select
    usage_record.landing_sequence,
    usage_record.landing_id,
    usage_record.source,
    usage_record.transaction_id,
    usage_record.usage_type,
    usage_record.usage_start,
    usage_record.usage_end,
    usage_record.contract_id,
    usage_record.account_id,
    usage_record.vin,
    usage_record.quantity,
    usage_record.unit,
    usage_record.unit_price,
    usage_record.distance,
    usage_record.attributes,
    usage_record.id_hash,
    usage_record.fields
from open_record
inner join usage_record
    on open_record.landing_sequence = usage_record.landing_sequence
where not open_record.is_copied

union all

select
    left_usage.landing_sequence,
    left_usage.landing_id,
    left_usage.source,
    left_usage.transaction_id,
    left_usage.usage_type,
    left_usage.usage_start,
    left_usage.usage_end,
    left_usage.contract_id,
    left_usage.account_id,
    left_usage.vin,
    left_usage.quantity,
    left_usage.unit,
    left_usage.unit_price,
    left_usage.distance,
    left_usage.attributes,
    left_usage.id_hash,
    left_usage.fields
from open_record
inner join left_usage
    on open_record.landing_sequence = left_usage.landing_sequence
where open_record.is_copied
