-- grouped_item: which items add up the records of their statements?
--
-- grain:  contract_item_id
-- reads:  contract_item
-- rule:   a table of its own, so that where there is none statements are not
--         looked through for them

select
    contract_item.contract_item_id,
    contract_item.statement_grain
from contract_item
where contract_item.statement_grain <> 'record'
