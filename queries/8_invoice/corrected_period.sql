-- corrected_period: which closed periods may owe something else than was billed?
--
-- grain:  billing_period
-- reads:  closed_period, rated_again, billed_line
-- rule:   those whose lines are rated again, and those that were corrected before:
--         what changed may have been taken back since

select
    closed_period.billing_period,
    true as is_rated_again
from closed_period
where exists (
    select 1
    from rated_again
    where rated_again.billing_period = closed_period.billing_period
)

union all

select
    closed_period.billing_period,
    false as is_rated_again
from closed_period
where
    not exists (
        select 1
        from rated_again
        where rated_again.billing_period = closed_period.billing_period
    )
    and exists (
        select 1
        from billed_line
        where billed_line.corrected_period = closed_period.billing_period
    )
