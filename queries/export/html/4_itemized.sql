-- itemized: the usage behind each line, as a page shows it.
--
-- grain:  line_id, usage_day, own_sequence, own_part
-- reads:  shown_usage, grouped_line, currency
-- rule:   each record of a line has a row, unless its item adds them up by day
--         or by line, or there are more than 100: these are added up by day
-- money:  each share is the rounded total so far less the one before; the
--         usage statement has it unrounded

with shown as (
    select
        shown_usage.customer_id,
        shown_usage.billing_period,
        shown_usage.line_id,
        shown_usage.local_start,
        cast(shown_usage.local_start as date) as local_day,
        shown_usage.transaction_id,
        shown_usage.usage_type,
        shown_usage.description,
        shown_usage.quantity,
        shown_usage.unit,
        shown_usage.amount,
        shown_usage.currency,
        shown_usage.record_count > 100
        or grouped_line.line_id is not null as is_added_up,
        shown_usage.record_count > 100
        and grouped_line.line_id is null as is_long,
        case
            when coalesce(grouped_line.statement_grain, 'day') = 'day'
                then cast(shown_usage.local_start as date)
        end as own_day,
        case
            when
                shown_usage.record_count <= 100
                and grouped_line.line_id is null
                then shown_usage.landing_sequence
        end as own_sequence,
        case
            when
                shown_usage.record_count <= 100
                and grouped_line.line_id is null
                then shown_usage.part_number
        end as own_part
    from shown_usage
    left join grouped_line
        on shown_usage.line_id = grouped_line.line_id
        and shown_usage.billing_period = grouped_line.billing_period
    where shown_usage.transaction_id is not null
),

added as (
    select
        shown.customer_id,
        shown.billing_period,
        shown.line_id,
        min(shown.local_day) as usage_day,
        max(shown.local_day) as last_day,
        min(shown.local_start) as local_start,
        shown.own_sequence,
        shown.own_part,
        shown.is_added_up,
        shown.is_long,
        shown.description,
        min(shown.transaction_id) as transaction_id,
        min(shown.usage_type) as usage_type,
        count(*) as records,
        sum(shown.quantity) as quantity,
        shown.unit,
        sum(shown.amount) as amount,
        shown.currency
    from shown
    group by
        shown.customer_id,
        shown.billing_period,
        shown.line_id,
        shown.own_day,
        shown.own_sequence,
        shown.own_part,
        shown.is_added_up,
        shown.is_long,
        shown.description,
        shown.unit,
        shown.currency
),

running as (
    select
        added.customer_id,
        added.billing_period,
        added.line_id,
        added.usage_day,
        added.last_day,
        added.local_start,
        added.own_sequence,
        added.own_part,
        added.is_added_up,
        added.is_long,
        added.description,
        added.transaction_id,
        added.usage_type,
        added.records,
        added.quantity,
        added.unit,
        added.amount,
        added.currency,
        sum(added.amount) over (
            partition by added.line_id, added.billing_period
            order by added.local_start, added.own_sequence, added.own_part
            rows between unbounded preceding and current row
        ) as amount_until
    from added
)

select
    running.customer_id,
    running.billing_period,
    running.line_id,
    running.usage_day,
    running.last_day,
    running.local_start,
    running.own_sequence,
    running.own_part,
    running.is_added_up,
    running.is_long,
    running.description,
    running.transaction_id,
    running.usage_type,
    running.records,
    running.quantity,
    running.unit,
    round_money(running.amount_until, currency.decimals, currency.rounding)
    - round_money(
        running.amount_until - running.amount,
        currency.decimals,
        currency.rounding
    ) as amount,
    running.currency
from running
inner join currency
    on running.currency = currency.currency
