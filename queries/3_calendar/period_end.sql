-- period_end: when is a billing period over?
--
-- grain:  billing_period
-- reads:  billing_cycle, priced_cycle
-- rule:   when its last cycle has ended; where no cycle ends in it and fees are
--         billed in advance, when the month is over in every time zone

with period_item as (
    select
        billing_cycle.billing_period,
        billing_cycle.cycle_end as ends_at
    from billing_cycle

    union all

    select
        priced_cycle.billing_period,
        cast(
            cast(concat(priced_cycle.billing_period, '-01') as date)
            + interval '1 month'
            + interval '1 day' as timestamp
        ) as ends_at
    from priced_cycle
    where not exists (
        select 1
        from billing_cycle
        where billing_cycle.billing_period = priced_cycle.billing_period
    )
)

select
    period_item.billing_period,
    max(period_item.ends_at) as ends_at
from period_item
group by period_item.billing_period
