-- period_end: when is a billing period over?
--
-- grain:  billing_period
-- reads:  billing_cycle, priced_cycle
-- rule:   when its last cycle has ended; where no cycle ends in it and fees are
--         billed in advance, when the month is over in every time zone

with cycle_period as (
    select
        billing_cycle.billing_period,
        max(billing_cycle.cycle_end) as ends_at
    from billing_cycle
    group by billing_cycle.billing_period
),

priced_period as (
    select distinct priced_cycle.billing_period
    from priced_cycle
)

select
    coalesce(cycle_period.billing_period, priced_period.billing_period)
        as billing_period,
    coalesce(
        cycle_period.ends_at,
        cast(
            cast(priced_period.billing_period || '-01' as date)
            + interval '1 month'
            + interval '1 day' as timestamp
        )
    ) as ends_at
from cycle_period
full join priced_period
    on cycle_period.billing_period = priced_period.billing_period
