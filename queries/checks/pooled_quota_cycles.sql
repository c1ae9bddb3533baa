-- pooled_quota_cycles: contracts that share a quota have the same cycles.
--
-- With different cycles each would be granted the whole quota. Of two periods, a
-- row is about the earlier.

with pool_cycle as (
    select distinct
        priced_cycle.customer_id,
        priced_cycle.quota_id,
        priced_cycle.contract_id,
        priced_cycle.full_start,
        priced_cycle.full_end,
        priced_cycle.billing_period
    from priced_cycle
    where priced_cycle.quota_scope = 'customer' and priced_cycle.quota_id is not null
)

select
    pool_cycle.customer_id,
    pool_cycle.quota_id,
    pool_cycle.contract_id,
    pool_cycle.full_start as cycle_start,
    pool_cycle.full_end as cycle_end,
    other.contract_id as other_contract_id,
    other.full_start as other_cycle_start,
    other.full_end as other_cycle_end,
    least(pool_cycle.billing_period, other.billing_period) as billing_period
from pool_cycle
inner join pool_cycle as other
    on pool_cycle.customer_id = other.customer_id
    and pool_cycle.quota_id = other.quota_id
    and pool_cycle.contract_id < other.contract_id
    and pool_cycle.full_start < other.full_end
    and other.full_start < pool_cycle.full_end
where
    pool_cycle.full_start <> other.full_start
    or pool_cycle.full_end <> other.full_end
