-- customer_total: what does each customer owe for a billing period?
--
-- grain:  customer_id, billing_period, currency
-- reads:  invoice_line, customer
-- engine: any, so `meterhouse views` prints it

select
    customer.customer_id,
    customer.customer_name,
    invoice_line.billing_period,
    invoice_line.currency,
    count(*) as line_count,
    sum(invoice_line.amount) as amount
from invoice_line
inner join customer
    on invoice_line.customer_id = customer.customer_id
group by
    customer.customer_id,
    customer.customer_name,
    invoice_line.billing_period,
    invoice_line.currency
