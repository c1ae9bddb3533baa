-- level_volume_charge: which tier of its price does a level reach at the end?
--
-- grain:  contract_item_id, cycle_start, price_id, group_key, tier_number
-- reads:  priced_quantity, measured_usage, price_tier
-- rule:   that tier prices what is left of the level after proration, when the
--         cycle has ended

select
    priced_quantity.contract_item_id,
    priced_quantity.cycle_start,
    priced_quantity.price_id,
    priced_quantity.group_key,
    price_tier.tier_number,
    priced_quantity.quantity,
    cast(null as decimal(38, 12)) as quantity_before,
    price_tier.block_quantity,
    price_tier.unit_amount,
    price_tier.flat_amount,
    priced_quantity.billing_period
from priced_quantity
left join measured_usage
    on priced_quantity.contract_item_id = measured_usage.contract_item_id
    and priced_quantity.cycle_start = measured_usage.cycle_start
    and priced_quantity.price_id = measured_usage.price_id
    and priced_quantity.group_key = measured_usage.group_key
inner join price_tier
    on priced_quantity.price_id = price_tier.price_id
    and (
        measured_usage.full_quantity > price_tier.quantity_from
        or price_tier.tier_number = 1
    )
    and (
        price_tier.quantity_to is null
        or coalesce(measured_usage.full_quantity, 0) <= price_tier.quantity_to
    )
where
    priced_quantity.charge_model = 'level_volume'
    and priced_quantity.is_due
