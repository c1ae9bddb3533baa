-- record_tier: what has a record cost when it enters a tier?
--
-- grain:  price_id, tier_number
-- reads:  price_tier, price
-- rule:   only the tiers that each record goes through alone; the first takes
--         what is zero or negative, too
-- money:  unrounded, decimal(38, 12)

select
    price_tier.price_id,
    price_tier.tier_number,
    price_tier.quantity_from,
    price_tier.quantity_to,
    price_tier.unit_amount,
    price_tier.flat_amount
    + coalesce(
        sum(
            prorate(
                price_tier.quantity_to - price_tier.quantity_from,
                price_tier.unit_amount,
                1
            )
            + price_tier.flat_amount
        ) over (
            partition by price_tier.price_id
            order by price_tier.tier_number
            rows between unbounded preceding and 1 preceding
        ),
        0
    ) as amount_from
from price_tier
inner join price
    on price_tier.price_id = price.price_id
where price.charge_model = 'record_graduated'
