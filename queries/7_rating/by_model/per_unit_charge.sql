-- per_unit_charge: what does a unit, or a block of units, cost?
--
-- grain:  contract_item_id, cycle_start, price_id, group_key
-- reads:  priced_quantity

select
    priced_quantity.contract_item_id,
    priced_quantity.cycle_start,
    priced_quantity.price_id,
    priced_quantity.group_key,
    priced_quantity.quantity,
    priced_quantity.quantity_before,
    priced_quantity.block_quantity,
    priced_quantity.unit_amount,
    priced_quantity.billing_period
from priced_quantity
where priced_quantity.charge_model = 'per_unit'
