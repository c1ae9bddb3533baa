-- session_schedule: the windows and rates of a time_of_use price, as one text.
--
-- grain:  price_id
-- reads:  rate_schedule, rate_window, rate_step
-- rule:   as the function session_steps walks it; a window without a rate is none

with stepped_window as (
    select
        rate_window.price_id,
        min(rate_step.increment_quantity) as shortest_increment,
        concat(
            rate_window.window_number,
            '|', coalesce(rate_window.weekdays, ''),
            '|', coalesce(rate_window.months, ''),
            '|', coalesce(rate_window.month_days, ''),
            '|', rate_window.start_time,
            '|', rate_window.weight,
            '|',
            array_to_string(
                array_sort(
                    array_agg(
                        concat(
                            rate_step.step_number,
                            ':', rate_step.elapsed_from,
                            ':', rate_step.increment_quantity
                        )
                    )
                ),
                ','
            )
        ) as window_text
    from rate_window
    inner join rate_step
        on rate_window.price_id = rate_step.price_id
        and rate_window.window_number = rate_step.window_number
    group by
        rate_window.price_id,
        rate_window.window_number,
        rate_window.weekdays,
        rate_window.months,
        rate_window.month_days,
        rate_window.start_time,
        rate_window.weight
)

select
    rate_schedule.price_id,
    array_to_string(
        array_sort(array_agg(stepped_window.window_text)), ';'
    ) as schedule_text,
    min(stepped_window.shortest_increment) as shortest_increment,
    rate_schedule.splits_windows,
    rate_schedule.step_decimals,
    rate_schedule.session_decimals,
    rate_schedule.session_rounding
from rate_schedule
inner join stepped_window
    on rate_schedule.price_id = stepped_window.price_id
group by
    rate_schedule.price_id,
    rate_schedule.splits_windows,
    rate_schedule.step_decimals,
    rate_schedule.session_decimals,
    rate_schedule.session_rounding
