-- compared_record: what do records say that may have come twice?
--
-- grain:  landing_sequence
-- reads:  twin_record, usage_record, left_usage
-- rule:   those of closed months are read from their copies, so that their files are
--         opened only for what came again since

select
    usage_record.landing_sequence,
    usage_record.landing_id,
    twin_record.id_hash,
    usage_record.source,
    usage_record.transaction_id,
    usage_record.usage_type,
    usage_record.usage_start,
    usage_record.quantity,
    usage_record.unit,
    twin_record.is_open,
    usage_record.fields
from twin_record
inner join usage_record
    on twin_record.landing_sequence = usage_record.landing_sequence
where not twin_record.is_copied

union all

select
    left_usage.landing_sequence,
    left_usage.landing_id,
    twin_record.id_hash,
    left_usage.source,
    left_usage.transaction_id,
    left_usage.usage_type,
    left_usage.usage_start,
    left_usage.quantity,
    left_usage.unit,
    twin_record.is_open,
    left_usage.fields
from twin_record
inner join left_usage
    on twin_record.landing_sequence = left_usage.landing_sequence
where twin_record.is_copied
