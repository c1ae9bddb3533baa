-- period: every billing period, its state and its money
with period_cycle as (
    select
        billing_cycle.billing_period,
        billing_cycle.currency,
        max(billing_cycle.cycle_end) as last_cycle_end,
        count(distinct billing_cycle.contract_id) as contracts
    from billing_cycle
    group by
        billing_cycle.billing_period,
        billing_cycle.currency
),

period_amount as (
    select
        invoice_line.billing_period,
        invoice_line.currency,
        count(*) as lines,
        sum(invoice_line.amount) as amount
    from invoice_line
    group by
        invoice_line.billing_period,
        invoice_line.currency
)

select
    period_cycle.billing_period,
    case
        when closed_period.billing_period is not null then 'closed'
        when period_cycle.last_cycle_end <= $as_of then 'due'
        else 'open'
    end as state,
    period_cycle.contracts,
    coalesce(period_amount.lines, 0) as lines,
    period_cycle.currency,
    coalesce(period_amount.amount, 0) as amount
from period_cycle
left join period_amount
    on period_cycle.billing_period = period_amount.billing_period
    and period_cycle.currency = period_amount.currency
left join closed_period
    on period_cycle.billing_period = closed_period.billing_period
order by
    period_cycle.billing_period,
    period_cycle.currency
