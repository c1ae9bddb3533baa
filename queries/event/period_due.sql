-- period_due: which billing periods have ended and are not closed?
--
-- grain:  event_key
-- reads:  period_end, closed_period
-- rule:   it ends when the period is closed

select
    make_array(period_end.billing_period) as event_key,
    period_end.billing_period,
    period_end.ends_at
from period_end
left join closed_period
    on period_end.billing_period = closed_period.billing_period
where
    period_end.ends_at <= $as_of
    and closed_period.billing_period is null
