-- grouped_line: of which lines does a statement add up records?
--
-- grain:  line_id
-- reads:  contract_item, invoice_line
-- rule:   a table of its own, so that where there is none no statement is looked
--         through for them, and so that those of a closed period stay as they are

select
    invoice_line.line_id,
    contract_item.statement_grain,
    invoice_line.billing_period
from contract_item
inner join invoice_line
    on contract_item.contract_item_id = invoice_line.contract_item_id
where
    contract_item.statement_grain <> 'record'
    and invoice_line.record_count > 0
