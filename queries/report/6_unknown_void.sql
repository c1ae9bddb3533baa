-- unknown_void: rows of usage_void that no record has come for
select
    usage_void.source,
    usage_void.transaction_id,
    usage_void.usage_start,
    usage_void.reason
from usage_void
where not exists (
    select 1
    from usage_record
    where
        usage_record.source = usage_void.source
        and usage_record.transaction_id = usage_void.transaction_id
        and usage_record.usage_start
        = coalesce(usage_void.usage_start, usage_record.usage_start)
)
order by
    usage_void.source,
    usage_void.transaction_id
