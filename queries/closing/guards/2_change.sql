-- change: a total moved by more percent than `close_limit` allows since the period
-- before.
with total as (
    select
        invoice_line.billing_period,
        invoice_line.currency,
        sum(invoice_line.amount) as amount
    from invoice_line
    group by
        invoice_line.billing_period,
        invoice_line.currency
)

select
    total.billing_period,
    total.currency,
    total.amount,
    before.amount as amount_before,
    close_limit.limit_value as limit_percent
from total
inner join total as before
    on total.currency = before.currency
    and before.billing_period = to_char(
        cast(concat(total.billing_period, '-01') as date) - interval '1 month',
        '%Y-%m'
    )
inner join close_limit
    on close_limit.limit_name = 'change_percent'
where
    abs(total.amount - before.amount) > try_round_ratio(
        abs(before.amount), close_limit.limit_value, 100, 12, 'floor'
    )
