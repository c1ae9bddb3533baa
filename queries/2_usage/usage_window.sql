-- usage_window: in which windows of local time does usage begin?
--
-- grain:  landing_sequence, tag
-- reads:  time_window, open_usage, holiday
-- rule:   weekday and time of day are those of the window's own time zone; a
--         window with a holiday calendar is closed on its days

with local_usage as (
    select
        time_window.tag,
        time_window.weekday_from,
        time_window.weekday_to,
        time_window.hour_from,
        time_window.hour_to,
        time_window.holiday_calendar,
        open_usage.landing_sequence,
        local_time(open_usage.usage_start, time_window.time_zone) as local_start
    from open_usage
    inner join time_window
        on open_usage.usage_type = time_window.usage_type
)

select distinct
    local_usage.landing_sequence,
    local_usage.tag
from local_usage
left join holiday
    on local_usage.holiday_calendar = holiday.holiday_calendar
    and cast(local_usage.local_start as date) = holiday.holiday_date
where
    extract(isodow from local_usage.local_start)
    between local_usage.weekday_from and local_usage.weekday_to
    and extract(hour from local_usage.local_start) >= local_usage.hour_from
    and extract(hour from local_usage.local_start) < local_usage.hour_to
    and holiday.holiday_date is null
