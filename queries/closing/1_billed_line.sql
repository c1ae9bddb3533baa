-- billed_line: the lines of the period that closes, with what the invoicing
-- system passes on.
--
-- grain:  line_id
-- reads:  invoice_line, declared_line

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
    declared_line.time_zone,
    declared_line.usage_shown,
    declared_line.purchase_order,
    declared_line.product_code,
    declared_line.tax_category,
    declared_line.gl_account,
    invoice_line.billing_period
from invoice_line
inner join declared_line
    on invoice_line.line_id = declared_line.line_id
    and invoice_line.billing_period = declared_line.billing_period
