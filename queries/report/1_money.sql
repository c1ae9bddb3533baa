-- money: what the customers owe, by billing period and currency
select
    invoice_line.billing_period,
    invoice_line.currency,
    count(*) as lines,
    count(distinct invoice_line.customer_id) as customers,
    sum(invoice_line.amount) as amount
from invoice_line
group by
    invoice_line.billing_period,
    invoice_line.currency
order by
    invoice_line.billing_period,
    invoice_line.currency
