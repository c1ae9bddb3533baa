-- account: the same by general ledger account, as it is posted
select
    coalesce(contract_item.gl_account, contract.gl_account) as gl_account,
    accrual.currency,
    sum(accrual.billed_amount) as billed,
    sum(accrual.earned_amount) as earned,
    sum(accrual.deferred_amount) as deferred,
    sum(accrual.accrued_amount) as accrued
from accrual
left join contract
    on accrual.contract_id = contract.contract_id
left join contract_item
    on accrual.contract_item_id = contract_item.contract_item_id
group by
    coalesce(contract_item.gl_account, contract.gl_account),
    accrual.currency
order by
    coalesce(contract_item.gl_account, contract.gl_account),
    accrual.currency
