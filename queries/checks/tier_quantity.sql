-- tier_quantity: the tiers of a charge sum to the billable quantity.

with charged as (
    select
        charge.contract_item_id,
        charge.cycle_start,
        charge.price_id,
        sum(charge.quantity) as quantity
    from charge
    group by
        charge.contract_item_id,
        charge.cycle_start,
        charge.price_id
)

select
    item_cycle.customer_id,
    charged.contract_item_id,
    charged.cycle_start,
    charged.price_id,
    billable_usage.billable_quantity,
    charged.quantity as charged_quantity
from charged
inner join billable_usage
    on charged.contract_item_id = billable_usage.contract_item_id
    and charged.cycle_start = billable_usage.cycle_start
    and charged.price_id = billable_usage.price_id
inner join item_cycle
    on charged.contract_item_id = item_cycle.contract_item_id
    and charged.cycle_start = item_cycle.cycle_start
    and charged.price_id = item_cycle.price_id
where charged.quantity <> billable_usage.billable_quantity
