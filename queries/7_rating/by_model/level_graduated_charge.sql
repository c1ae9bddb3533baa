-- level_graduated_charge: what does a level cost in each tier of its price?
--
-- grain:  contract_item_id, cycle_start, price_id, group_key, tier_number
-- reads:  priced_quantity, level_tier, price_tier
-- rule:   without any level, or any move of it, the first tier's flat amount is
--         due
-- money:  unrounded, decimal(38, 12)

select
    priced_quantity.contract_item_id,
    priced_quantity.cycle_start,
    priced_quantity.price_id,
    priced_quantity.group_key,
    coalesce(level_tier.tier_number, price_tier.tier_number) as tier_number,
    coalesce(level_tier.quantity, 0) as quantity,
    cast(null as decimal(38, 12)) as block_count,
    coalesce(level_tier.unit_amount, price_tier.unit_amount) as unit_amount,
    coalesce(level_tier.flat_amount, price_tier.flat_amount) as flat_amount,
    case
        when level_tier.tier_number is null then price_tier.flat_amount
        else level_tier.amount
    end as amount,
    priced_quantity.billing_period
from priced_quantity
inner join price_tier
    on priced_quantity.price_id = price_tier.price_id
    and price_tier.tier_number = 1
left join level_tier
    on priced_quantity.contract_item_id = level_tier.contract_item_id
    and priced_quantity.cycle_start = level_tier.cycle_start
    and priced_quantity.price_id = level_tier.price_id
    and priced_quantity.group_key = level_tier.group_key
where priced_quantity.charge_model = 'level_graduated'
