-- reach_back: what closed periods would be corrected by, rated by the rules of today
select
    correction_line.corrected_period,
    count(distinct correction_line.customer_id) as customers,
    count(*) as lines,
    sum(coalesce(rerated_line.record_count, 0)) as records,
    correction_line.currency,
    sum(correction_line.amount) as amount
from correction_line
left join rerated_line
    on correction_line.corrected_period = rerated_line.billing_period
    and correction_line.corrected_line_id = rerated_line.line_id
where not exists (
    select 1
    from closed_period
    where closed_period.billing_period = correction_line.billing_period
)
group by
    correction_line.corrected_period,
    correction_line.currency
order by
    correction_line.corrected_period,
    correction_line.currency
