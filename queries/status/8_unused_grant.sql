-- unused_grant: accounts of grants that cannot pay for what draws from them
with found as (
    select
        grant_account.contract_id,
        grant_account.quota_id,
        'has no quota_grant' as finding
    from grant_account
    where not exists (
        select 1
        from quota_grant
        where
            quota_grant.contract_id = grant_account.contract_id
            and quota_grant.quota_id = grant_account.quota_id
    )

    union all

    select
        grant_account.contract_id,
        grant_account.quota_id,
        concat(
            'opens after records of item ', priced_usage.contract_item_id, ' in ',
            priced_usage.billing_period, ' that draw from it: ', count(*),
            ', of quantity ', number_text(sum(priced_usage.quantity), 0)
        ) as finding
    from grant_account
    inner join contract_item
        on grant_account.quota_id = contract_item.quota_id
        and grant_account.quota_scope = contract_item.quota_scope
    inner join contract
        on contract_item.contract_id = contract.contract_id
    inner join contract as owner
        on grant_account.contract_id = owner.contract_id
        and contract.customer_id = owner.customer_id
    inner join priced_usage
        on contract_item.contract_item_id = priced_usage.contract_item_id
        and grant_account.opened_at > priced_usage.usage_start
    where
        grant_account.quota_scope = 'customer'
        or grant_account.contract_id = contract_item.contract_id
    group by
        grant_account.contract_id,
        grant_account.quota_id,
        priced_usage.contract_item_id,
        priced_usage.billing_period
)

select
    found.contract_id,
    found.quota_id,
    found.finding
from found
order by
    found.contract_id,
    found.quota_id,
    found.finding
