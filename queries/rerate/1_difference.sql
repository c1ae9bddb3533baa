-- difference: corrections of the closed period that are not yet billed, by customer
with last_rerating as (
    select max(rerating.rerate_number) as rerate_number
    from rerating
)

select
    correction_line.customer_id,
    correction_line.corrected_period,
    correction_line.billing_period as corrected_in,
    count(*) as lines,
    sum(correction_line.amount) as amount,
    correction_line.currency
from correction_line
inner join rerating
    on correction_line.corrected_period = rerating.billing_period
inner join last_rerating
    on rerating.rerate_number = last_rerating.rerate_number
where not exists (
    select 1
    from closed_period
    where closed_period.billing_period = correction_line.billing_period
)
group by
    correction_line.customer_id,
    correction_line.corrected_period,
    correction_line.billing_period,
    correction_line.currency
order by
    correction_line.customer_id,
    correction_line.currency
