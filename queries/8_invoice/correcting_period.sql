-- correcting_period: in which period are closed ones corrected?
--
-- grain:  one row, once a period is closed
-- reads:  closed_period, period_end
-- rule:   the first that ends after the last that is closed

with last_closed as (
    select max(closed_period.billing_period) as billing_period
    from closed_period
)

select
    coalesce(
        min(period_end.billing_period),
        to_char(
            cast(last_closed.billing_period || '-01' as date)
            + interval '1 month',
            '%Y-%m'
        )
    ) as billing_period
from last_closed
left join period_end
    on last_closed.billing_period < period_end.billing_period
group by last_closed.billing_period
