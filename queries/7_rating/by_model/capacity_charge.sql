-- capacity_charge: which fee is due for what a customer may use?
--
-- grain:  contract_item_id, cycle_start, price_id, group_key, tier_number
-- reads:  priced_quantity, capacity_tier, price_tier
-- rule:   that of the tier that holds the usage of the cycle, with the first group;
--         the other groups cost nothing; a check parks the customer where none does

select
    priced_quantity.contract_item_id,
    priced_quantity.cycle_start,
    priced_quantity.price_id,
    priced_quantity.group_key,
    case
        when priced_quantity.group_key = capacity_tier.group_key
            then capacity_tier.tier_number
        else cast(0 as integer)
    end as tier_number,
    priced_quantity.quantity,
    cast(null as decimal(38, 12)) as block_count,
    cast(null as decimal(38, 12)) as unit_amount,
    case
        when priced_quantity.group_key = capacity_tier.group_key
            then coalesce(price_tier.flat_amount, 0)
        else 0
    end as flat_amount,
    case
        when priced_quantity.group_key = capacity_tier.group_key
            then coalesce(price_tier.flat_amount, 0)
        else 0
    end as amount,
    priced_quantity.billing_period
from priced_quantity
inner join capacity_tier
    on priced_quantity.contract_item_id = capacity_tier.contract_item_id
    and priced_quantity.cycle_start = capacity_tier.cycle_start
    and priced_quantity.price_id = capacity_tier.price_id
inner join price_tier
    on capacity_tier.price_id = price_tier.price_id
    and capacity_tier.tier_number = price_tier.tier_number
where priced_quantity.charge_model = 'capacity'
