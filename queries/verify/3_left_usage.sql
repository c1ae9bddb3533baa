-- left_usage: which copies of records that closings left out are not as received?
with copied as (
    select
        left_usage.landing_sequence,
        row_hash(left_usage.landing_id, fields_json(left_usage.fields)) as copy_hash
    from left_usage
)

select
    copied.landing_sequence,
    usage_record.landing_sequence is not null as is_there
from copied
left join usage_record
    on copied.landing_sequence = usage_record.landing_sequence
where
    usage_record.landing_sequence is null
    or copied.copy_hash
    <> row_hash(usage_record.landing_id, fields_json(usage_record.fields))
