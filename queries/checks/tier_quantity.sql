-- tier_quantity: the tiers of a charge sum to the priced quantity.

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
    item_cycle.customer_id,
    charged.contract_item_id,
    charged.cycle_start,
    charged.price_id,
    charged.group_key,
    priced_quantity.quantity,
    charged.quantity as charged_quantity
from charged
inner join priced_quantity
    on charged.contract_item_id = priced_quantity.contract_item_id
    and charged.cycle_start = priced_quantity.cycle_start
    and charged.price_id = priced_quantity.price_id
    and charged.group_key = priced_quantity.group_key
inner join price
    on charged.price_id = price.price_id
inner join item_cycle
    on charged.contract_item_id = item_cycle.contract_item_id
    and charged.cycle_start = item_cycle.cycle_start
    and charged.price_id = item_cycle.price_id
where
    charged.quantity <> priced_quantity.quantity
    and price.charge_model <> 'level_graduated' -- rounds each tier to 12 places
