-- grant_account_use: an account of grants is burnt once, by what it can be.

with account as (
    select
        grant_account.contract_id,
        grant_account.quota_id,
        grant_account.quota_scope,
        grant_account.currency,
        contract.customer_id,
        contract.currency as contract_currency
    from grant_account
    inner join contract
        on grant_account.contract_id = contract.contract_id
)

select
    account.contract_id,
    account.quota_id,
    concat('contract ', other.contract_id, ' has the same pool') as mistake
from account
inner join account as other
    on account.customer_id = other.customer_id
    and account.quota_id = other.quota_id
    and account.contract_id < other.contract_id
where
    account.quota_scope = 'customer'
    and other.quota_scope = 'customer'
    and account.currency is null
    and other.currency is null

union all

select
    account.contract_id,
    account.quota_id,
    concat(
        other.quota_id, ' of contract ', other.contract_id, ' pays the same lines'
    ) as mistake
from account
inner join account as other
    on account.customer_id = other.customer_id
    and account.currency = other.currency
    and (
        account.contract_id < other.contract_id
        or (
            account.contract_id = other.contract_id
            and account.quota_id < other.quota_id
        )
    )
    and (
        account.contract_id = other.contract_id
        or account.quota_scope = 'customer'
        or other.quota_scope = 'customer'
    )

union all

select
    account.contract_id,
    account.quota_id,
    concat('the contract pays in ', account.contract_currency) as mistake
from account
where account.currency <> account.contract_currency

union all

select
    account.contract_id,
    account.quota_id,
    concat('grant ', quota_grant.grant_id, ' is not in minor units') as mistake
from account
inner join currency
    on account.currency = currency.currency
inner join quota_grant
    on account.contract_id = quota_grant.contract_id
    and account.quota_id = quota_grant.quota_id
where
    round_money(quota_grant.amount, currency.decimals, 'ceil')
    <> quota_grant.amount
    or round_money(quota_grant.rollover_minimum, currency.decimals, 'ceil')
    <> quota_grant.rollover_minimum
    or round_money(quota_grant.rollover_maximum, currency.decimals, 'ceil')
    <> quota_grant.rollover_maximum
    or round_money(quota_grant.opening_balance, currency.decimals, 'ceil')
    <> quota_grant.opening_balance

union all

-- A grant is burnt by records, in order of time.
select
    account.contract_id,
    account.quota_id,
    concat(
        'item ', contract_item.contract_item_id, ' is not the sum of its records'
    ) as mistake
from account
inner join contract_item
    on account.quota_id = contract_item.quota_id
inner join contract
    on contract_item.contract_id = contract.contract_id
    and account.customer_id = contract.customer_id
inner join metric
    on contract_item.product_id = metric.product_id
where
    account.currency is null
    and contract_item.quota_scope = account.quota_scope
    and (
        account.quota_scope = 'customer'
        or account.contract_id = contract_item.contract_id
    )
    and (
        metric.aggregation <> 'sum'
        or metric.window_interval is not null
        or metric.carries_over
        or metric.proration <> 'none'
        or metric.negative_quantity <> 'kept'
        or metric.decimals is not null
    )
