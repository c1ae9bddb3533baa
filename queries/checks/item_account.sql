-- item_account: an item that draws from grants draws from an account of its
-- contract, or of its customer.

select
    contract_item.contract_item_id,
    contract_item.quota_id,
    contract_item.quota_scope
from contract_item
where
    contract_item.quota_id is not null
    and not exists (
        select 1 from quota where quota.quota_id = contract_item.quota_id
    )
    and not exists (
        select 1
        from grant_account
        inner join contract as owner
            on grant_account.contract_id = owner.contract_id
        inner join contract as drawing
            on owner.customer_id = drawing.customer_id
        where
            grant_account.quota_id = contract_item.quota_id
            and grant_account.quota_scope = contract_item.quota_scope
            and grant_account.currency is null
            and drawing.contract_id = contract_item.contract_id
            and (
                grant_account.quota_scope = 'customer'
                or grant_account.contract_id = drawing.contract_id
            )
    )
