-- declared_line: what does a contract declare of a line for the invoicing system?
--
-- grain:  line_id
-- reads:  invoice_line, contract, contract_item
-- rule:   what an item declares wins over its contract; declarations are those of
--         today

select
    invoice_line.line_id,
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
