-- grant_use: which usage burns the grants of an account, and when?
--
-- grain:  contract_id, quota_id, usage_start, landing_sequence
-- reads:  quota_account, contract_item, contract, counted_usage
-- rule:   the records of the items of the quota, of the contract or of all
--         contracts of the customer, since the account opened

select
    quota_account.contract_id,
    quota_account.quota_id,
    counted_usage.usage_start,
    counted_usage.landing_sequence,
    sum(counted_usage.quantity) as quantity
from quota_account
inner join contract_item
    on quota_account.quota_id = contract_item.quota_id
    and quota_account.quota_scope = contract_item.quota_scope
inner join contract
    on contract_item.contract_id = contract.contract_id
    and quota_account.owner_id = case quota_account.quota_scope
        when 'customer' then contract.customer_id
        else contract.contract_id
    end
inner join counted_usage
    on contract_item.contract_item_id = counted_usage.contract_item_id
    and counted_usage.usage_start >= quota_account.opened_at
group by
    quota_account.contract_id,
    quota_account.quota_id,
    counted_usage.usage_start,
    counted_usage.landing_sequence
