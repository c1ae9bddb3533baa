-- window_rate: each window of a price has a rate for every length, and one only; and
-- no two windows are in force at one time with nothing that tells them apart.

select
    price.price_id,
    price.charge_model,
    concat(
        'window ', cast(rate_window.window_number as varchar),
        ' has no rate_step from 0'
    ) as mistake
from rate_window
inner join price
    on rate_window.price_id = price.price_id
where not exists (
    select 1
    from rate_step
    where
        rate_step.price_id = rate_window.price_id
        and rate_step.window_number = rate_window.window_number
        and rate_step.elapsed_from = 0
)

union all

select
    price.price_id,
    price.charge_model,
    concat(
        'window ', cast(rate_step.window_number as varchar),
        ' has several rate_steps from one length'
    ) as mistake
from rate_step
inner join price
    on rate_step.price_id = price.price_id
group by
    price.price_id,
    price.charge_model,
    rate_step.window_number,
    rate_step.elapsed_from
having count(*) > 1

union all

select
    price.price_id,
    price.charge_model,
    concat(
        'has several rate_windows from ', rate_window.start_time,
        ' that nothing tells apart'
    ) as mistake
from rate_window
inner join price
    on rate_window.price_id = price.price_id
group by
    price.price_id,
    price.charge_model,
    rate_window.weekdays,
    rate_window.months,
    rate_window.month_days,
    rate_window.start_time,
    rate_window.weight
having count(*) > 1
