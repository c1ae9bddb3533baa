-- clock: what billing by local time and by `duration` changes
with trip as (
    select
        usage.usage_start,
        cast(usage.quantity as bigint) as seconds,
        cast(
            (cast(usage.usage_end as bigint) - cast(usage.usage_start as bigint))
            / 1000000 as bigint
        ) as seconds_between,
        cast(
            (
                cast(
                    local_time(usage.usage_end, 'America/Los_Angeles') as bigint
                )
                - cast(
                    local_time(usage.usage_start, 'America/Los_Angeles')
                    as bigint
                )
            ) / 1000000 as bigint
        ) as seconds_on_clocks
    from usage
),

finding as (
    select
        1 as finding_number,
        'trips in another month by UTC' as finding,
        trip.usage_start
    from trip
    where
        local_period(trip.usage_start, 'America/Los_Angeles')
        <> local_period(trip.usage_start, 'UTC')

    union all

    select
        2 as finding_number,
        'trips over a night in which clocks change' as finding,
        trip.usage_start
    from trip
    where trip.seconds_on_clocks <> trip.seconds_between

    union all

    select
        3 as finding_number,
        'trips whose clock times miss `duration` by a minute or more' as finding,
        trip.usage_start
    from trip
    where abs(trip.seconds_between - trip.seconds) >= 60
)

select
    finding.finding,
    count(*) as trips,
    min(local_time(finding.usage_start, 'America/Los_Angeles')) as first_start,
    max(local_time(finding.usage_start, 'America/Los_Angeles')) as last_start
from finding
group by
    finding.finding_number,
    finding.finding
order by finding.finding_number
