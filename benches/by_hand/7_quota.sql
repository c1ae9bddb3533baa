-- quota: what is included, and which usage draws it?
--
-- rule: a quota that changes within a cycle counts as last declared, or each version for
--       its share of the time

create table entitlement_status as
with used as (
    select
        quota_id,
        quota_scope,
        owner_id,
        full_start as cycle_start,
        max(full_end) as cycle_end,
        customer_id,
        min(cycle_start) as used_from,
        max(cycle_end) as used_to,
        sum(quantity) as used_quantity,
        max(billing_period) as billing_period
    from metered_usage
    where quota_id is not null
    group by quota_id, quota_scope, owner_id, full_start, customer_id
),

granted as (
    select
        used.quota_id,
        quota_scope,
        owner_id,
        cycle_start,
        cycle_end,
        customer_id,
        billing_period,
        used_quantity,
        cast(coalesce(
            if(
                any_value(proration) = 'time',
                sum(share(
                    included_quantity,
                    epoch_us(least(used_to, valid_to))
                    - epoch_us(greatest(used_from, valid_from)),
                    epoch_us(cycle_end) - epoch_us(cycle_start)
                )),
                arg_max(included_quantity, valid_from)
            ),
            0
        ) as decimal(38, 12)) as included_quantity
    from used
    left join quota
        on used.quota_id = quota.quota_id
        and valid_from < used_to
        and valid_to > used_from
    group by all
)

select
    *,
    greatest(included_quantity - used_quantity, 0) as remaining_quantity,
    greatest(used_quantity - included_quantity, 0) as overage_quantity,
    case
        when remaining_quantity > 0 then 'within'
        when overage_quantity > 0 then 'overage'
        else 'exhausted'
    end as state
from granted;

copy entitlement_status
to 'entitlement_status.parquet' (compression zstd, compression_level 1);

create table drawn as
select
    charge_number,
    least(sum(quantity) over draw, included_quantity)
    - least(sum(quantity) over draw - quantity, included_quantity)
        as included_quantity
from metered_usage
inner join entitlement_status as status
    on metered_usage.quota_id = status.quota_id
    and metered_usage.quota_scope = status.quota_scope
    and metered_usage.owner_id = status.owner_id
    and metered_usage.full_start = status.cycle_start
window draw as (
    partition by
        metered_usage.quota_id,
        metered_usage.quota_scope,
        metered_usage.owner_id,
        full_start
    order by draw_order, charge_from, contract_id, contract_item_id, price_id
    rows between unbounded preceding and current row
);
