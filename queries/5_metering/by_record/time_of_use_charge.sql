-- time_of_use_charge: what does a session cost by the clock?
--
-- grain:  landing_sequence, contract_item_id, part_number
-- reads:  record_detail, price, session_rate, rate_schedule, rate_window, rate_step
-- rule:   a session is walked in increments, each charged whole at the rate in
--         force where it begins, each rounded; the connection fee is that of the
--         first window, and of a split session's first part; no length costs
--         nothing
-- money:  decimal(38, 12), rounded as the rate schedule declares; null where steps
--         of one rate come to more than 20 digits before the point

with schedule as (
    select
        session_rate.price_id,
        array_agg(
            {
                'window_number': session_rate.window_number,
                'weekdays': string_to_array(session_rate.weekdays, ','),
                'months': string_to_array(session_rate.months, ','),
                'month_days': string_to_array(session_rate.month_days, ','),
                'start_time': cast(session_rate.start_time as time),
                'rate_number': session_rate.step_number,
                'elapsed_from': session_rate.elapsed_from,
                'increment': session_rate.increment_quantity
            }
            order by session_rate.place
        ) as rates
    from session_rate
    group by session_rate.price_id
),

session as (
    select
        record_detail.landing_sequence,
        record_detail.contract_item_id,
        record_detail.part_number,
        record_detail.quantity,
        record_detail.price_id,
        rate_schedule.step_decimals,
        rate_schedule.session_decimals,
        rate_schedule.session_rounding,
        session_steps(
            record_detail.session_start,
            record_detail.quantity,
            record_detail.time_zone,
            schedule.rates,
            case
                when rate_schedule.splits_windows then null
                else record_detail.session_start
            end
        ) as steps
    from rate_schedule
    inner join price
        on rate_schedule.price_id = price.price_id
        and price.charge_model = 'time_of_use'
    inner join schedule
        on rate_schedule.price_id = schedule.price_id
    inner join record_detail
        on rate_schedule.price_id = record_detail.price_id
),

step_run as (
    select
        session.*,
        unnest(session.steps) as run
    from session
),

run_charge as (
    select
        step_run.*,
        try_prorate(
            try_round_ratio(
                rate_step.unit_amount,
                rate_step.increment_quantity,
                rate_step.unit_quantity,
                step_run.step_decimals,
                'half_up'
            ),
            step_run.run['step_count'],
            1
        )
        + case
            when
                step_run.run['run_number'] = 1
                and step_run.part_number = 1
                then rate_window.connection_fee
            else 0
        end as amount
    from step_run
    inner join rate_window
        on step_run.price_id = rate_window.price_id
        and step_run.run['window_number'] = rate_window.window_number
    inner join rate_step
        on rate_window.price_id = rate_step.price_id
        and rate_window.window_number = rate_step.window_number
        and step_run.run['rate_number'] = rate_step.step_number
)

select
    run_charge.landing_sequence,
    run_charge.contract_item_id,
    run_charge.part_number,
    true as is_priced,
    true as is_paid,
    run_charge.quantity as paid_quantity,
    case
        when count(*) = count(run_charge.amount)
            then round_money(
                sum(run_charge.amount),
                coalesce(run_charge.session_decimals, 12),
                run_charge.session_rounding
            )
    end as amount
from run_charge
group by
    run_charge.landing_sequence,
    run_charge.contract_item_id,
    run_charge.part_number,
    run_charge.quantity,
    run_charge.session_decimals,
    run_charge.session_rounding
