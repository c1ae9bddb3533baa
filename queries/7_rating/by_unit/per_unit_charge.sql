-- per_unit_charge: what does a unit, or a block of units, cost?
--
-- grain:  contract_item_id, cycle_start, price_id, group_key, tier_number
-- reads:  priced_quantity

select
    priced_quantity.contract_item_id,
    priced_quantity.cycle_start,
    priced_quantity.price_id,
    priced_quantity.group_key,
    cast(0 as integer) as tier_number,
    priced_quantity.quantity,
    priced_quantity.quantity_before,
    priced_quantity.block_quantity,
    priced_quantity.unit_amount,
    cast(0 as decimal(38, 12)) as flat_amount,
    priced_quantity.billing_period
from priced_quantity
where priced_quantity.charge_model = 'per_unit'
