-- usage_void: which trips does a record with negative amounts take back?
--
-- grain:  source, transaction_id
-- reads:  usage_record
-- rule:   the trip of the same vendor, times and places, before or after its void

select distinct
    trip.source,
    trip.transaction_id,
    cast(null as timestamp with time zone) as usage_start,
    cast(null as varchar) as replaced_by,
    'the cab took it back' as reason
from usage_record
inner join usage_record as trip
    on usage_record.source = trip.source
    and usage_record.transaction_id = concat(trip.transaction_id, '/void')
where usage_record.usage_type = 'void'
