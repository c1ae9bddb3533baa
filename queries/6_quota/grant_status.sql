-- grant_status: how far are the grants that pay a quota used in a cycle?
--
-- grain:  quota_id, quota_scope, owner_id, cycle_start
-- reads:  quota_account, quota_use, grant_balance
-- rule:   grants are the quota, as things stand when the cycle ends; usage that
--         none of them covers is carried on, or has a price

with account_cycle as (
    select
        grant_balance.contract_id,
        grant_balance.quota_id,
        grant_balance.cycle_start,
        sum(grant_balance.cycle_used_quantity) as burnt_quantity,
        sum(grant_balance.cycle_balance) as remaining_quantity,
        max(grant_balance.cycle_overage) as overage_quantity,
        lag(max(grant_balance.overage)) over (
            partition by grant_balance.contract_id, grant_balance.quota_id
            order by grant_balance.cycle_start
        ) as overage_before
    from grant_balance
    group by
        grant_balance.contract_id,
        grant_balance.quota_id,
        grant_balance.cycle_start
),

used as (
    select
        quota_use.quota_id,
        quota_use.quota_scope,
        quota_use.owner_id,
        quota_use.cycle_start,
        quota_use.cycle_end,
        quota_use.customer_id,
        quota_use.used_quantity
        + case quota_account.overage
            when 'carried'
                then coalesce(
                    account_cycle.overage_before, quota_account.opening_overage
                )
            else 0
        end as used_quantity,
        coalesce(account_cycle.burnt_quantity, 0) as burnt_quantity,
        coalesce(account_cycle.remaining_quantity, 0) as remaining_quantity,
        account_cycle.overage_quantity as carried_quantity,
        quota_account.overage,
        quota_account.limit_type,
        quota_use.billing_period
    from quota_account
    inner join quota_use
        on quota_account.quota_id = quota_use.quota_id
        and quota_account.quota_scope = quota_use.quota_scope
        and quota_account.owner_id = quota_use.owner_id
    left join account_cycle
        on quota_account.contract_id = account_cycle.contract_id
        and quota_account.quota_id = account_cycle.quota_id
        and quota_use.cycle_start = account_cycle.cycle_start
),

beyond as (
    select
        used.*,
        case used.overage
            when 'carried'
                then coalesce(used.carried_quantity, used.used_quantity)
            else used.used_quantity - used.burnt_quantity
        end as overage_quantity
    from used
)

select
    beyond.quota_id,
    beyond.quota_scope,
    beyond.owner_id,
    beyond.cycle_start,
    beyond.cycle_end,
    beyond.customer_id,
    beyond.burnt_quantity + beyond.remaining_quantity as included_quantity,
    beyond.used_quantity,
    beyond.remaining_quantity,
    beyond.overage_quantity,
    case beyond.overage when 'charged' then beyond.burnt_quantity end
        as covered_quantity,
    beyond.limit_type,
    case
        when beyond.remaining_quantity > 0 then 'within'
        when beyond.limit_type = 'soft' and beyond.overage_quantity > 0
            then 'overage'
        else 'exhausted'
    end as state,
    beyond.limit_type = 'soft' or beyond.remaining_quantity > 0 as has_access,
    beyond.billing_period
from beyond
