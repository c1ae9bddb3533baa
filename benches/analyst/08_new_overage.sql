-- new_overage: who went beyond a quota for the first time, and by how much?
--
-- reads: entitlement_status, customer

with status as (
    select
        entitlement_status.quota_id,
        entitlement_status.customer_id,
        entitlement_status.billing_period,
        entitlement_status.used_quantity,
        entitlement_status.overage_quantity,
        lag(entitlement_status.used_quantity) over owner_in_order
            as used_before,
        coalesce(sum(entitlement_status.overage_quantity) over owner_in_order, 0)
        - entitlement_status.overage_quantity as overage_before
    from entitlement_status
    window owner_in_order as (
        partition by
            entitlement_status.quota_id,
            entitlement_status.quota_scope,
            entitlement_status.owner_id
        order by entitlement_status.cycle_start
        rows between unbounded preceding and current row
    )
)

select
    status.quota_id,
    customer.customer_name,
    status.billing_period,
    status.used_before,
    status.used_quantity,
    status.overage_quantity
from status
inner join customer
    on status.customer_id = customer.customer_id
where
    status.overage_quantity > 0
    and status.overage_before = 0
order by
    status.overage_quantity desc,
    status.quota_id,
    customer.customer_name
limit 100
