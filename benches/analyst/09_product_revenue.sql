-- product_revenue: what is invoiced for each product, and how does that change from
-- period to period?
--
-- reads: invoice_line, contract_item

with revenue as (
    select
        contract_item.product_id,
        invoice_line.currency,
        invoice_line.billing_period,
        count(distinct invoice_line.customer_id) as customers,
        sum(invoice_line.record_count) as records,
        sum(invoice_line.amount) as amount
    from invoice_line
    inner join contract_item
        on invoice_line.contract_item_id = contract_item.contract_item_id
    group by
        contract_item.product_id,
        invoice_line.currency,
        invoice_line.billing_period
)

select
    revenue.product_id,
    revenue.currency,
    revenue.billing_period,
    revenue.customers,
    revenue.records,
    revenue.amount,
    revenue.amount - lag(revenue.amount) over (
        partition by revenue.product_id, revenue.currency
        order by revenue.billing_period
    ) as amount_change
from revenue
order by
    revenue.product_id,
    revenue.currency,
    revenue.billing_period
