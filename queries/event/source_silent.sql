-- source_silent: which sources have sent no usage for longer than they may?
--
-- grain:  event_key
-- reads:  silence_limit, usage_record
-- rule:   by event time, of all that has landed, whether a run has seen it or not;
--         it ends when the source is heard again

with heard as (
    select
        usage_record.source,
        max(usage_record.usage_start) as last_usage_start
    from usage_record
    where
        -- No limit is longer than a week: older files are not read.
        usage_record.usage_date >= cast($as_of - interval '8 days' as date)
    group by usage_record.source
)

select
    make_array(silence_limit.source) as event_key,
    silence_limit.source,
    silence_limit.silent_hours,
    heard.last_usage_start
from silence_limit
left join heard
    on silence_limit.source = heard.source
where
    heard.last_usage_start is null
    or (
        cast($as_of as bigint) - cast(heard.last_usage_start as bigint)
        > silence_limit.silent_hours * 3600000000
    )
