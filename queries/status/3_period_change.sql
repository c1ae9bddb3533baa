-- period_change: closed periods with late or voided usage, and what is owed for it now
select
    period_change.billing_period,
    period_change.late_count as late,
    period_change.void_count as void,
    correction_line.currency,
    correction_line.billing_period as corrected_in,
    sum(correction_line.amount) as correction
from period_change
left join correction_line
    on period_change.billing_period = correction_line.corrected_period
group by
    period_change.billing_period,
    period_change.late_count,
    period_change.void_count,
    correction_line.currency,
    correction_line.billing_period
order by
    period_change.billing_period,
    correction_line.billing_period,
    correction_line.currency
