-- total: what a customer owes for a billing period, by currency.
--
-- grain:  customer_id, billing_period, currency
-- reads:  customer_total, currency

select
    customer_total.customer_id,
    customer_total.billing_period,
    customer_total.currency,
    customer_total.customer_name,
    currency.decimals,
    customer_total.amount
from customer_total
inner join currency
    on customer_total.currency = currency.currency
