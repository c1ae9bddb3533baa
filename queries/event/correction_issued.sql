-- correction_issued: what corrections of closed periods does a customer get?
--
-- grain:  event_key
-- reads:  invoice_line
-- rule:   while the period that carries it is open a correction may change: then
--         the one before has ended, and there is another

select
    make_array(
        invoice_line.customer_id,
        invoice_line.corrected_period,
        invoice_line.billing_period,
        invoice_line.currency,
        cast(sum(invoice_line.amount) as varchar)
    ) as event_key,
    invoice_line.customer_id,
    invoice_line.corrected_period,
    invoice_line.billing_period,
    count(*) as lines,
    sum(invoice_line.amount) as amount,
    invoice_line.currency
from invoice_line
where invoice_line.corrected_period is not null
group by
    invoice_line.customer_id,
    invoice_line.corrected_period,
    invoice_line.billing_period,
    invoice_line.currency
