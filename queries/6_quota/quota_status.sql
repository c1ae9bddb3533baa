-- quota_status: how far is a declared quota used in a cycle?
--
-- grain:  quota_id, quota_scope, owner_id, cycle_start
-- reads:  quota_use, quota, quota_account
-- rule:   a quota that changes within a cycle counts as last declared, in full,
--         or each version for its share of the whole cycle's time; beyond it, its
--         goodwill is let pass

with version as (
    select
        quota_use.quota_id,
        quota_use.quota_scope,
        quota_use.owner_id,
        quota_use.cycle_start,
        quota_use.cycle_end,
        quota_use.customer_id,
        quota_use.used_quantity,
        quota_use.billing_period,
        quota.included_quantity,
        case quota.proration
            when 'time'
                then prorate(
                    quota.included_quantity,
                    cast(
                        least(
                            quota_use.used_to,
                            coalesce(quota.valid_to, quota_use.used_to)
                        ) as bigint
                    )
                    - cast(
                        greatest(quota_use.used_from, quota.valid_from) as bigint
                    ),
                    cast(quota_use.cycle_end as bigint)
                    - cast(quota_use.cycle_start as bigint)
                )
        end as share_quantity,
        quota.goodwill_percent,
        quota.limit_type,
        row_number() over (
            partition by
                quota_use.quota_id,
                quota_use.quota_scope,
                quota_use.owner_id,
                quota_use.cycle_start
            order by quota.valid_from desc
        ) = 1 as is_last
    from quota_use
    left join quota
        on quota_use.quota_id = quota.quota_id
        and quota.valid_from < quota_use.used_to
        and coalesce(quota.valid_to, quota_use.used_to) > quota_use.used_from
    where not exists (
        select 1
        from quota_account
        where
            quota_account.quota_id = quota_use.quota_id
            and quota_account.quota_scope = quota_use.quota_scope
            and quota_account.owner_id = quota_use.owner_id
    )
),

declared as (
    select
        version.quota_id,
        version.quota_scope,
        version.owner_id,
        version.cycle_start,
        version.cycle_end,
        version.customer_id,
        version.used_quantity,
        coalesce(
            sum(
                coalesce(
                    version.share_quantity,
                    case when version.is_last then version.included_quantity end
                )
            ),
            0
        ) as included_quantity,
        coalesce(
            max(case when version.is_last then version.goodwill_percent end), 0
        ) as goodwill_percent,
        coalesce(
            max(case when version.is_last then version.limit_type end), 'soft'
        ) as limit_type,
        version.billing_period
    from version
    group by
        version.quota_id,
        version.quota_scope,
        version.owner_id,
        version.cycle_start,
        version.cycle_end,
        version.customer_id,
        version.used_quantity,
        version.billing_period
),

used as (
    select
        declared.*,
        greatest(declared.included_quantity - declared.used_quantity, 0)
            as remaining_quantity,
        declared.included_quantity
        + prorate(declared.included_quantity, declared.goodwill_percent, 100)
            as limit_quantity
    from declared
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
    greatest(used.used_quantity - used.limit_quantity, 0) as overage_quantity,
    used.limit_type,
    case
        when used.remaining_quantity > 0 then 'within'
        when used.used_quantity < used.limit_quantity then 'goodwill'
        when
            used.limit_type = 'soft'
            and used.used_quantity > used.limit_quantity
            then 'overage'
        else 'exhausted'
    end as state,
    used.limit_type = 'soft'
    or used.remaining_quantity > 0
    or used.used_quantity < used.limit_quantity as has_access,
    used.billing_period
from used
