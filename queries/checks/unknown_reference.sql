-- unknown_reference: reference data names only what there is.

select
    'contract' as table_name,
    contract.contract_id as key,
    concat('unknown customer ', contract.customer_id) as mistake
from contract
where not exists (
    select 1 from customer where customer.customer_id = contract.customer_id
)

union all

select
    'contract' as table_name,
    contract.contract_id as key,
    concat('unknown currency ', contract.currency) as mistake
from contract
where not exists (
    select 1 from currency where currency.currency = contract.currency
)

union all

select
    'contract_item' as table_name,
    contract_item.contract_item_id as key,
    concat('unknown contract ', contract_item.contract_id) as mistake
from contract_item
where not exists (
    select 1 from contract where contract.contract_id = contract_item.contract_id
)

union all

select
    'contract_item' as table_name,
    contract_item.contract_item_id as key,
    concat('unknown quota ', contract_item.quota_id) as mistake
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

union all

select
    'contract_identifier' as table_name,
    contract_identifier.identifier as key,
    concat('unknown contract ', contract_identifier.contract_id) as mistake
from contract_identifier
where not exists (
    select 1
    from contract
    where contract.contract_id = contract_identifier.contract_id
)

union all

select
    'contract_item' as table_name,
    contract_item.contract_item_id as key,
    concat('a fee without a flat price for ', contract_item.product_id)
        as mistake
from contract_item
where
    contract_item.usage_type is null
    and not exists (
        select 1
        from price
        where
            price.product_id = contract_item.product_id
            and price.charge_model = 'flat'
    )

union all

select
    'price_tier' as table_name,
    price_tier.price_id as key,
    'unknown price' as mistake
from price_tier
where not exists (
    select 1 from price where price.price_id = price_tier.price_id
)

union all

select
    'minimum_fee' as table_name,
    minimum_fee.contract_id as key,
    'unknown contract' as mistake
from minimum_fee
where not exists (
    select 1
    from contract
    where contract.contract_id = minimum_fee.contract_id
)

union all

select
    'grant_account' as table_name,
    grant_account.quota_id as key,
    concat('unknown contract ', grant_account.contract_id) as mistake
from grant_account
where not exists (
    select 1
    from contract
    where contract.contract_id = grant_account.contract_id
)

union all

select
    'quota_grant' as table_name,
    quota_grant.grant_id as key,
    concat(
        'contract ', quota_grant.contract_id, ' has no account ',
        quota_grant.quota_id
    ) as mistake
from quota_grant
where not exists (
    select 1
    from grant_account
    where
        grant_account.contract_id = quota_grant.contract_id
        and grant_account.quota_id = quota_grant.quota_id
)
