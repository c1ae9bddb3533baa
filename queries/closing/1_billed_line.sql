-- billed_line: the lines of the period that closes.
--
-- grain:  line_id
-- reads:  invoice_line

select
    invoice_line.line_id,
    invoice_line.customer_id,
    invoice_line.contract_id,
    invoice_line.contract_item_id,
    invoice_line.cycle_start,
    invoice_line.cycle_end,
    invoice_line.price_id,
    invoice_line.group_key,
    invoice_line.line_type,
    invoice_line.description,
    invoice_line.record_count,
    invoice_line.quantity,
    invoice_line.included_quantity,
    invoice_line.billable_quantity,
    invoice_line.unit,
    invoice_line.amount_exact,
    invoice_line.amount,
    invoice_line.currency,
    invoice_line.corrected_period,
    invoice_line.corrected_line_id,
    invoice_line.billing_period
from invoice_line
