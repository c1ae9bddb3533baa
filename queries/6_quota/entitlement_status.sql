-- entitlement_status: how far is a quota used in a cycle?
--
-- grain:  quota_id, quota_scope, owner_id, cycle_start
-- reads:  metered_usage, item_cycle, quota, grant_account, grant_balance, contract
-- rule:   a quota that changes within a cycle counts as last declared, in full,
--         or each version for its share of the whole cycle's time; contracts
--         that join or leave within a cycle share the pool of the whole cycle;
--         beyond it, its goodwill is let pass; where the owner has an account of
--         grants, they are the quota, as things stand when the cycle ends, and
--         usage that none of them covers is carried on, or has a price

with quota_use as (
    select
        item_cycle.quota_id,
        item_cycle.quota_scope,
        item_cycle.quota_owner_id as owner_id,
        item_cycle.full_start as cycle_start,
        max(item_cycle.full_end) as cycle_end,
        min(item_cycle.cycle_start) as used_from,
        max(item_cycle.cycle_end) as used_to,
        item_cycle.customer_id,
        max(item_cycle.billing_period) as billing_period,
        sum(metered_usage.quantity) as used_quantity
    from item_cycle
    inner join metered_usage
        on item_cycle.contract_item_id = metered_usage.contract_item_id
        and item_cycle.cycle_start = metered_usage.cycle_start
        and item_cycle.price_id = metered_usage.price_id
    where item_cycle.quota_id is not null
    group by
        item_cycle.quota_id,
        item_cycle.quota_scope,
        item_cycle.quota_owner_id,
        item_cycle.full_start,
        item_cycle.customer_id
),

quota_in_cycle as (
    select
        quota_use.quota_id,
        quota_use.quota_scope,
        quota_use.owner_id,
        quota_use.cycle_start,
        quota_use.cycle_end,
        quota_use.customer_id,
        quota_use.billing_period,
        quota_use.used_quantity,
        quota.proration,
        quota.included_quantity,
        quota.goodwill_percent,
        quota.limit_type,
        cast(
            least(
                quota_use.used_to,
                coalesce(quota.valid_to, quota_use.used_to)
            ) as bigint
        )
        - cast(greatest(quota_use.used_from, quota.valid_from) as bigint)
            as microseconds,
        row_number() over (
            partition by
                quota_use.quota_id,
                quota_use.quota_scope,
                quota_use.owner_id,
                quota_use.cycle_start
            order by quota.valid_from desc
        ) as recency
    from quota_use
    left join quota
        on quota_use.quota_id = quota.quota_id
        and quota.valid_from < quota_use.used_to
        and coalesce(quota.valid_to, quota_use.used_to) > quota_use.used_from
),

declared as (
    select
        quota_in_cycle.quota_id,
        quota_in_cycle.quota_scope,
        quota_in_cycle.owner_id,
        quota_in_cycle.cycle_start,
        quota_in_cycle.cycle_end,
        quota_in_cycle.customer_id,
        quota_in_cycle.billing_period,
        quota_in_cycle.used_quantity,
        coalesce(
            sum(
                case
                    when quota_in_cycle.proration = 'time'
                        then prorate(
                            quota_in_cycle.included_quantity,
                            quota_in_cycle.microseconds,
                            cast(quota_in_cycle.cycle_end as bigint)
                            - cast(quota_in_cycle.cycle_start as bigint)
                        )
                    when quota_in_cycle.recency = 1
                        then quota_in_cycle.included_quantity
                end
            ),
            0
        ) as included_quantity,
        coalesce(
            max(
                case
                    when quota_in_cycle.recency = 1
                        then quota_in_cycle.goodwill_percent
                end
            ),
            0
        ) as goodwill_percent,
        coalesce(
            max(
                case
                    when quota_in_cycle.recency = 1
                        then quota_in_cycle.limit_type
                end
            ),
            'soft'
        ) as limit_type
    from quota_in_cycle
    group by
        quota_in_cycle.quota_id,
        quota_in_cycle.quota_scope,
        quota_in_cycle.owner_id,
        quota_in_cycle.cycle_start,
        quota_in_cycle.cycle_end,
        quota_in_cycle.customer_id,
        quota_in_cycle.billing_period,
        quota_in_cycle.used_quantity
),

account as (
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
        grant_account.opening_overage
    from grant_account
    inner join contract
        on grant_account.contract_id = contract.contract_id
    where grant_account.currency is null
),

account_cycle as (
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

granted as (
    select
        declared.quota_id,
        declared.quota_scope,
        declared.owner_id,
        declared.cycle_start,
        declared.cycle_end,
        declared.customer_id,
        declared.billing_period,
        declared.included_quantity,
        declared.included_quantity
        + prorate(declared.included_quantity, declared.goodwill_percent, 100)
            as limit_quantity,
        account.overage,
        coalesce(account.limit_type, declared.limit_type) as limit_type,
        declared.used_quantity
        + case account.overage
            when 'carried'
                then coalesce(
                    account_cycle.overage_before, account.opening_overage
                )
            else 0
        end as used_quantity,
        coalesce(account_cycle.burnt_quantity, 0) as burnt_quantity,
        coalesce(account_cycle.remaining_quantity, 0) as left_quantity,
        account_cycle.overage_quantity
    from declared
    left join account
        on declared.quota_id = account.quota_id
        and declared.quota_scope = account.quota_scope
        and declared.owner_id = account.owner_id
    left join account_cycle
        on account.contract_id = account_cycle.contract_id
        and account.quota_id = account_cycle.quota_id
        and declared.cycle_start = account_cycle.cycle_start
),

-- Of a quota, or of grants: what is left, and what is used beyond it.
used as (
    select
        granted.quota_id,
        granted.quota_scope,
        granted.owner_id,
        granted.cycle_start,
        granted.cycle_end,
        granted.customer_id,
        granted.billing_period,
        case
            when granted.overage is null then granted.included_quantity
            else granted.burnt_quantity + granted.left_quantity
        end as included_quantity,
        granted.used_quantity,
        case
            when granted.overage is null
                then greatest(
                    granted.included_quantity - granted.used_quantity, 0
                )
            else granted.left_quantity
        end as remaining_quantity,
        case
            when granted.overage is null
                then greatest(
                    granted.used_quantity - granted.limit_quantity, 0
                )
            when granted.overage = 'carried'
                then coalesce(granted.overage_quantity, granted.used_quantity)
            else granted.used_quantity - granted.burnt_quantity
        end as overage_quantity,
        granted.overage,
        granted.burnt_quantity,
        granted.limit_quantity,
        granted.limit_type
    from granted
)

select
    used.quota_id,
    used.quota_scope,
    used.owner_id,
    used.cycle_start,
    used.cycle_end,
    used.customer_id,
    used.included_quantity,
    used.used_quantity,
    used.remaining_quantity,
    used.used_quantity
    + used.remaining_quantity
    - used.included_quantity
    - used.overage_quantity as goodwill_quantity,
    used.overage_quantity,
    case
        when used.overage is null
            then used.used_quantity
            + used.remaining_quantity
            - used.overage_quantity
        when used.overage = 'charged' then used.burnt_quantity
    end as covered_quantity,
    used.limit_type,
    case
        when used.remaining_quantity > 0 then 'within'
        when used.overage is null and used.used_quantity < used.limit_quantity
            then 'goodwill'
        when used.limit_type = 'soft' and used.overage_quantity > 0
            then 'overage'
        else 'exhausted'
    end as state,
    used.limit_type = 'soft'
    or used.remaining_quantity > 0
    or (
        used.overage is null and used.used_quantity < used.limit_quantity
    ) as has_access,
    used.billing_period
from used
