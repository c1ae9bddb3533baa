-- matrix_charge: what does a unit, or a block of units, cost in its group?
--
-- grain:  contract_item_id, cycle_start, price_id, group_key, tier_number
-- reads:  priced_quantity, matrix_price
-- rule:   a group that is not listed costs the unit_amount of the price, or nothing

select
    priced_quantity.contract_item_id,
    priced_quantity.cycle_start,
    priced_quantity.price_id,
    priced_quantity.group_key,
    cast(0 as integer) as tier_number,
    priced_quantity.quantity,
    priced_quantity.quantity_before,
    priced_quantity.block_quantity,
    coalesce(matrix_price.unit_amount, priced_quantity.unit_amount, 0)
        as unit_amount,
    cast(0 as decimal(38, 12)) as flat_amount,
    priced_quantity.billing_period
from priced_quantity
left join matrix_price
    on priced_quantity.price_id = matrix_price.price_id
    and priced_quantity.group_key = matrix_price.group_key
where priced_quantity.charge_model = 'matrix'
