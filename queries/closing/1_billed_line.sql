-- billed_line: the lines of the period that closes, with what the invoicing
-- system passes on.
--
-- grain:  line_id
-- reads:  invoice_line, contract, contract_item
-- rule:   what an item declares for the invoicing system wins over its contract

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
    coalesce(contract.time_zone, 'UTC') as time_zone,
    coalesce(contract_item.usage_shown, 'full') as usage_shown,
    coalesce(contract_item.purchase_order, contract.purchase_order)
        as purchase_order,
    coalesce(contract_item.product_code, contract.product_code)
        as product_code,
    coalesce(contract_item.tax_category, contract.tax_category)
        as tax_category,
    coalesce(contract_item.gl_account, contract.gl_account) as gl_account,
    invoice_line.billing_period
from invoice_line
left join contract
    on invoice_line.contract_id = contract.contract_id
left join contract_item
    on invoice_line.contract_item_id = contract_item.contract_item_id
