-- tier_quantity: what is priced is charged, and the tiers of a charge sum to it.
--
-- A quantity beyond the last tier has no charge; nor has one of more than 20 digits
-- before the point, or whose amount has more, and a sum is not priced then.

with charged as (
    select
        charge.contract_item_id,
        charge.cycle_start,
        charge.price_id,
        charge.group_key,
        sum(charge.quantity) as quantity
    from charge
    group by
        charge.contract_item_id,
        charge.cycle_start,
        charge.price_id,
        charge.group_key
)

select
    priced_cycle.customer_id,
    priced_quantity.contract_item_id,
    priced_quantity.cycle_start,
    priced_quantity.price_id,
    priced_quantity.group_key,
    priced_quantity.quantity,
    charged.quantity as charged_quantity
from priced_quantity
left join charged
    on priced_quantity.contract_item_id = charged.contract_item_id
    and priced_quantity.cycle_start = charged.cycle_start
    and priced_quantity.price_id = charged.price_id
    and priced_quantity.group_key = charged.group_key
inner join priced_cycle
    on priced_quantity.contract_item_id = priced_cycle.contract_item_id
    and priced_quantity.cycle_start = priced_cycle.cycle_start
    and priced_quantity.price_id = priced_cycle.price_id
where
    (
        charged.quantity <> priced_quantity.quantity
        and priced_quantity.charge_model <> 'level_graduated' -- rounds each tier
    )
    or (
        charged.quantity is null
        and (
            priced_quantity.quantity <> 0
            or priced_quantity.record_amount <> 0
            or priced_quantity.charge_model = 'level_graduated' -- always has one
        )
        and priced_quantity.is_due
    )

union all

select
    priced_cycle.customer_id,
    billable_usage.contract_item_id,
    billable_usage.cycle_start,
    billable_usage.price_id,
    billable_usage.group_key,
    billable_usage.billable_quantity as quantity,
    cast(null as decimal(38, 12)) as charged_quantity
from billable_usage
inner join priced_cycle
    on billable_usage.contract_item_id = priced_cycle.contract_item_id
    and billable_usage.cycle_start = priced_cycle.cycle_start
    and billable_usage.price_id = priced_cycle.price_id
inner join price
    on billable_usage.price_id = price.price_id
where not exists (
    select 1
    from priced_quantity
    where
        priced_quantity.contract_item_id = billable_usage.contract_item_id
        and priced_quantity.cycle_start = billable_usage.cycle_start
        and priced_quantity.price_id = billable_usage.price_id
        and priced_quantity.group_key = billable_usage.group_key
)
