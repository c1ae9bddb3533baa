-- top_customer: the customers who owe most in each currency, in all periods
with ranked as (
    select
        customer_total.currency,
        customer_total.customer_id,
        customer_total.customer_name,
        sum(customer_total.line_count) as lines,
        sum(customer_total.amount) as amount,
        row_number() over (
            partition by customer_total.currency
            order by sum(customer_total.amount) desc, customer_total.customer_id
        ) as place
    from customer_total
    group by
        customer_total.currency,
        customer_total.customer_id,
        customer_total.customer_name
)

select
    ranked.currency,
    ranked.customer_id,
    ranked.customer_name,
    ranked.lines,
    ranked.amount
from ranked
where ranked.place <= 3
order by
    ranked.currency,
    ranked.place
