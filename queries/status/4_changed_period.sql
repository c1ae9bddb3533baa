-- changed_period: closed periods with other usage now, and what is owed for it
select
    period_change.billing_period,
    period_change.late_count as late,
    period_change.void_count as void,
    period_change.guided_again_count as guided_again,
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
    period_change.guided_again_count,
    correction_line.currency,
    correction_line.billing_period
order by
    period_change.billing_period,
    correction_line.billing_period,
    correction_line.currency
