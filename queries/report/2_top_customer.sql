-- top_customer: the customers who owe most, in all periods
select
    customer_total.customer_id,
    customer_total.customer_name,
    customer_total.currency,
    sum(customer_total.line_count) as lines,
    sum(customer_total.amount) as amount
from customer_total
group by
    customer_total.customer_id,
    customer_total.customer_name,
    customer_total.currency
order by
    sum(customer_total.amount) desc,
    customer_total.customer_id
limit 5
