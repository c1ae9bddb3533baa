-- invoice_line: the lines to invoice, with what the invoicing system passes on.
--
-- grain:  line_id
-- reads:  invoice_line, contract, contract_item
-- totals: by currency
-- rule:   what an item declares for the invoicing system wins over its
--         contract; an item that shows overage only hides what its quota
--         covers, and has no line where nothing is left; the service dates are
--         the first and the last day of the cycle in the contract's zone

select
    invoice_line.customer_id,
    invoice_line.billing_period,
    invoice_line.line_id,
    invoice_line.contract_id,
    invoice_line.contract_item_id,
    invoice_line.price_id,
    invoice_line.cycle_start,
    invoice_line.cycle_end,
    local_date(invoice_line.cycle_start, contract.time_zone) as service_from,
    local_date(
        invoice_line.cycle_end - interval '1 microsecond', contract.time_zone
    ) as service_to,
    invoice_line.line_type,
    invoice_line.description,
    coalesce(contract_item.purchase_order, contract.purchase_order)
        as purchase_order,
    coalesce(contract_item.product_code, contract.product_code)
        as product_code,
    coalesce(contract_item.tax_category, contract.tax_category)
        as tax_category,
    coalesce(contract_item.gl_account, contract.gl_account) as gl_account,
    case
        when contract_item.usage_shown = 'overage'
            then invoice_line.billable_quantity
        else invoice_line.quantity
    end as quantity,
    case
        when contract_item.usage_shown = 'overage' then 0
        else invoice_line.included_quantity
    end as included_quantity,
    invoice_line.billable_quantity,
    invoice_line.unit,
    invoice_line.amount,
    invoice_line.currency
from invoice_line
left join contract
    on invoice_line.contract_id = contract.contract_id
left join contract_item
    on invoice_line.contract_item_id = contract_item.contract_item_id
where
    coalesce(contract_item.usage_shown, 'full') = 'full'
    or invoice_line.included_quantity = 0
    or invoice_line.billable_quantity <> 0
    or invoice_line.amount <> 0
