-- capacity_tier: which tier of a capacity price holds for the usage of a cycle?
--
-- grain:  contract_item_id, cycle_start, price_id
-- reads:  priced_quantity, price, price_tier, group_limit
-- rule:   the lowest tier in which no group is above its limit; it is charged with
--         the first group; usage that no tier holds has none, and is not charged

with reached as (
    select
        priced_quantity.contract_item_id,
        priced_quantity.cycle_start,
        priced_quantity.price_id,
        priced_quantity.group_key,
        price_tier.tier_number,
        coalesce(
            priced_quantity.quantity > group_limit.quantity_to, false
        ) as is_above
    from price
    inner join priced_quantity
        on price.price_id = priced_quantity.price_id
    inner join price_tier
        on price.price_id = price_tier.price_id
    left join group_limit
        on price_tier.price_id = group_limit.price_id
        and price_tier.tier_number = group_limit.tier_number
        and priced_quantity.group_key = group_limit.group_key
    where price.charge_model = 'capacity'
),

tier as (
    select
        reached.contract_item_id,
        reached.cycle_start,
        reached.price_id,
        reached.tier_number,
        min(reached.group_key) as group_key,
        bool_or(reached.is_above) as is_above
    from reached
    group by
        reached.contract_item_id,
        reached.cycle_start,
        reached.price_id,
        reached.tier_number
)

select
    tier.contract_item_id,
    tier.cycle_start,
    tier.price_id,
    tier.group_key,
    min(tier.tier_number) as tier_number
from tier
where not tier.is_above
group by
    tier.contract_item_id,
    tier.cycle_start,
    tier.price_id,
    tier.group_key
