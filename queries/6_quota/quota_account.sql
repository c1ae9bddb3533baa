-- quota_account: which quotas are paid by grants, and whose are they?
--
-- grain:  contract_id, quota_id
-- reads:  grant_account, contract

select
    grant_account.contract_id,
    grant_account.quota_id,
    grant_account.quota_scope,
    case grant_account.quota_scope
        when 'customer' then contract.customer_id
        else contract.contract_id
    end as owner_id,
    grant_account.overage,
    grant_account.limit_type,
    grant_account.opening_overage,
    grant_account.opened_at
from grant_account
inner join contract
    on grant_account.contract_id = contract.contract_id
where grant_account.currency is null
