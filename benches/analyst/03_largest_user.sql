-- largest_user: which customers use most of each product in a period?
--
-- reads: customer_usage, customer

with used as (
    select
        customer_usage.customer_id,
        customer_usage.product_id,
        customer_usage.unit,
        count(*) as records,
        sum(customer_usage.quantity) as quantity
    from customer_usage
    where customer_usage.billing_period = '2026-10'
    group by
        customer_usage.customer_id,
        customer_usage.product_id,
        customer_usage.unit
),

ranked as (
    select
        used.*,
        row_number() over (
            partition by used.product_id
            order by used.quantity desc, used.customer_id
        ) as place
    from used
)

select
    ranked.product_id,
    ranked.place,
    customer.customer_name,
    ranked.records,
    ranked.quantity,
    ranked.unit
from ranked
inner join customer
    on ranked.customer_id = customer.customer_id
where ranked.place <= 10
order by
    ranked.product_id,
    ranked.place
