-- rejected: files of which records could not be read, the newest first
with rejected as (
    select
        landing_of(usage_rejected.landing_sequence) as landing_id,
        usage_rejected.file_name,
        count(*) as records,
        min(usage_rejected.line_number) as first_line,
        first_value(
            usage_rejected.reject_reason order by usage_rejected.landing_sequence
        ) as first_reason
    from usage_rejected
    group by
        landing_of(usage_rejected.landing_sequence),
        usage_rejected.file_name
),

content as (
    select distinct
        landing.landing_id,
        landing.content_hash
    from landing
),

-- Of a content that landed again, only what became of it last.
last_landing as (
    select
        content.content_hash,
        max(content.landing_id) as landing_id
    from content
    group by content.content_hash
)

select
    rejected.landing_id,
    rejected.file_name,
    rejected.records,
    rejected.first_line,
    rejected.first_reason
from rejected
inner join last_landing
    on rejected.landing_id = last_landing.landing_id
where not exists (
    select 1
    from landing_hold
    where
        landing_hold.landing_id = rejected.landing_id
        and landing_hold.place = 'discarded'
)
order by rejected.landing_id desc
limit 10
