-- session_rate: which rate of a time_of_use price goes before which?
--
-- grain:  price_id, place
-- reads:  rate_schedule, rate_window, rate_step
-- rule:   of the windows that hold at one time the one of the largest weight, then
--         of the latest start_time, then of the lowest number; in it the rate of
--         the longest length that is reached; a window without a rate is none

select
    rate_schedule.price_id,
    cast(row_number() over (
        partition by rate_schedule.price_id
        order by
            rate_window.weight desc,
            rate_window.start_time desc,
            rate_window.window_number,
            rate_step.elapsed_from desc,
            rate_step.step_number desc
    ) as integer) as place,
    rate_window.window_number,
    rate_window.weekdays,
    rate_window.months,
    rate_window.month_days,
    rate_window.start_time,
    rate_step.step_number,
    rate_step.elapsed_from,
    rate_step.increment_quantity
from rate_schedule
inner join rate_window
    on rate_schedule.price_id = rate_window.price_id
inner join rate_step
    on rate_window.price_id = rate_step.price_id
    and rate_window.window_number = rate_step.window_number
