-- entitlement_status: how far is a quota used in a cycle?
--
-- grain:  quota_id, quota_scope, owner_id, cycle_start
-- reads:  metered_usage, item_cycle, quota
-- rule:   a quota that changes within a cycle counts as last declared, in full,
--         or each version for its share of the whole cycle's time; contracts
--         that join or leave within a cycle share the pool of the whole cycle

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

granted as (
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
        ) as included_quantity
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
)

select
    granted.quota_id,
    granted.quota_scope,
    granted.owner_id,
    granted.cycle_start,
    granted.cycle_end,
    granted.customer_id,
    granted.included_quantity,
    granted.used_quantity,
    greatest(
        granted.included_quantity - granted.used_quantity, 0
    ) as remaining_quantity,
    greatest(
        granted.used_quantity - granted.included_quantity, 0
    ) as overage_quantity,
    granted.billing_period
from granted
