-- billable_usage: what is left to price after quota?
--
-- grain:  contract_item_id, cycle_start, price_id, group_key
-- reads:  metered_usage, priced_cycle, entitlement_status
-- rule:   who shares a quota draws from it in the declared order, earlier
--         prices first: included is what the grant covers with this usage,
--         less what it covers without, so that the parts sum to the whole also
--         where usage is negative; without a quota all is billable; what grants
--         pay later is covered, too; who shares a quota is of one customer

with in_draw_order as (
    select
        metered_usage.contract_item_id,
        metered_usage.cycle_start,
        metered_usage.price_id,
        metered_usage.group_key,
        metered_usage.quantity,
        metered_usage.record_amount,
        priced_cycle.customer_id,
        metered_usage.billing_period,
        entitlement_status.quota_id is not null
        and entitlement_status.covered_quantity is null as is_carried,
        coalesce(entitlement_status.covered_quantity, 0) as granted_quantity,
        coalesce(
            entitlement_status.covered_quantity
            - entitlement_status.goodwill_quantity,
            0
        ) as quota_quantity,
        coalesce(
            sum(metered_usage.quantity) over (
                partition by
                    priced_cycle.customer_id,
                    priced_cycle.quota_id,
                    priced_cycle.quota_scope,
                    priced_cycle.quota_owner_id,
                    priced_cycle.full_start
                order by
                    priced_cycle.draw_order,
                    priced_cycle.charge_from,
                    priced_cycle.contract_id,
                    metered_usage.contract_item_id,
                    metered_usage.price_id,
                    metered_usage.group_key
                rows between unbounded preceding and 1 preceding
            ),
            0
        ) as quantity_before
    from metered_usage
    inner join priced_cycle
        on metered_usage.contract_item_id = priced_cycle.contract_item_id
        and metered_usage.cycle_start = priced_cycle.cycle_start
        and metered_usage.price_id = priced_cycle.price_id
        and priced_cycle.quota_id is not null
    left join entitlement_status
        on priced_cycle.quota_id = entitlement_status.quota_id
        and priced_cycle.quota_scope = entitlement_status.quota_scope
        and priced_cycle.quota_owner_id = entitlement_status.owner_id
        and priced_cycle.full_start = entitlement_status.cycle_start
),

bounded as (
    select
        in_draw_order.*,
        in_draw_order.quantity_before + in_draw_order.quantity as quantity_until,
        greatest(in_draw_order.granted_quantity, 0) as granted_most,
        least(in_draw_order.granted_quantity, 0) as granted_least
    from in_draw_order
),

-- What is covered until here, less what was covered before.
drawn as (
    select
        bounded.*,
        case
            when bounded.is_carried then bounded.quantity
            else
                greatest(
                    least(bounded.quantity_until, bounded.granted_most),
                    bounded.granted_least
                )
                - greatest(
                    least(bounded.quantity_before, bounded.granted_most),
                    bounded.granted_least
                )
        end as included_quantity,
        greatest(
            least(bounded.quantity_until, bounded.granted_quantity),
            bounded.quota_quantity
        )
        - greatest(
            least(bounded.quantity_before, bounded.granted_quantity),
            bounded.quota_quantity
        ) as goodwill_quantity
    from bounded
)

select
    drawn.contract_item_id,
    drawn.cycle_start,
    drawn.price_id,
    drawn.group_key,
    drawn.quantity,
    drawn.included_quantity,
    drawn.goodwill_quantity,
    drawn.quantity - drawn.included_quantity as billable_quantity,
    drawn.record_amount,
    drawn.customer_id,
    drawn.billing_period
from drawn

union all

-- Without a quota there is nothing to share, and so no order.
select
    metered_usage.contract_item_id,
    metered_usage.cycle_start,
    metered_usage.price_id,
    metered_usage.group_key,
    metered_usage.quantity,
    cast(0 as decimal(38, 12)) as included_quantity,
    cast(0 as decimal(38, 12)) as goodwill_quantity,
    metered_usage.quantity as billable_quantity,
    metered_usage.record_amount,
    priced_cycle.customer_id,
    metered_usage.billing_period
from metered_usage
inner join priced_cycle
    on metered_usage.contract_item_id = priced_cycle.contract_item_id
    and metered_usage.cycle_start = priced_cycle.cycle_start
    and metered_usage.price_id = priced_cycle.price_id
    and priced_cycle.quota_id is null
