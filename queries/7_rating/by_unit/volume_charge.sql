-- volume_charge: which tier of a volume price prices all that was used?
--
-- grain:  contract_item_id, cycle_start, price_id, group_key, tier_number
-- reads:  priced_quantity, price_tier
-- rule:   the tier that the quantity reaches, when the cycle has ended

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
inner join price_tier
    on priced_quantity.price_id = price_tier.price_id
    and (
        priced_quantity.quantity > price_tier.quantity_from
        or price_tier.tier_number = 1
    )
    and priced_quantity.quantity
    <= coalesce(price_tier.quantity_to, priced_quantity.quantity)
where
    priced_quantity.charge_model = 'volume'
    and priced_quantity.is_due
    and priced_quantity.quantity_before is null
