-- record_tier: what has a record cost when it enters a tier?
--
-- grain:  price_id, tier_number
-- reads:  price_tier, price
-- rule:   only the tiers that each record goes through alone; the first takes
--         what is zero or negative, too
-- money:  unrounded, decimal(38, 12); null where a tier before it comes to more than
--         20 digits before the point

with whole_tier as (
    select
        price_tier.price_id,
        price_tier.tier_number,
        price_tier.quantity_from,
        price_tier.quantity_to,
        price_tier.unit_amount,
        price_tier.flat_amount,
        try_prorate(
            price_tier.quantity_to - price_tier.quantity_from,
            price_tier.unit_amount,
            1
        )
        + price_tier.flat_amount as amount
    from price_tier
    inner join price
        on price_tier.price_id = price.price_id
    where price.charge_model = 'record_graduated'
)

select
    whole_tier.price_id,
    whole_tier.tier_number,
    whole_tier.quantity_from,
    whole_tier.quantity_to,
    whole_tier.unit_amount,
    case
        when count(*) over tier_before = count(whole_tier.amount) over tier_before
            then whole_tier.flat_amount
            + coalesce(sum(whole_tier.amount) over tier_before, 0)
    end as amount_from
from whole_tier
window tier_before as (
    partition by whole_tier.price_id
    order by whole_tier.tier_number
    rows between unbounded preceding and 1 preceding
)
