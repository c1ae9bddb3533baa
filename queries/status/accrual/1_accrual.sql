-- accrual: what is earned so far of what is not both billed and earned in full
select
    accrual.billing_period,
    case
        when bool_or(accrual.is_unfinished) then 'unfinished'
        else 'ended'
    end as cycles,
    count(*) as lines,
    accrual.currency,
    sum(accrual.amount) as amount,
    sum(accrual.billed_amount) as billed,
    sum(accrual.earned_amount) as earned,
    sum(accrual.deferred_amount) as deferred,
    sum(accrual.accrued_amount) as accrued
from accrual
group by
    accrual.billing_period,
    accrual.currency
order by
    accrual.billing_period,
    accrual.currency
