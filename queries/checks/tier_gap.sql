-- tier_gap: the tiers of a price begin at 0, meet, and the last is open; those of
-- a capacity price have limits instead; and the rows of a charge model price
-- something.

with tier as (
    select
        price_tier.price_id,
        price_tier.tier_number,
        price_tier.quantity_from,
        price_tier.quantity_to,
        lag(price_tier.quantity_to) over (
            partition by price_tier.price_id order by price_tier.tier_number
        ) as previous_quantity_to,
        row_number() over (
            partition by price_tier.price_id order by price_tier.tier_number
        ) as expected_number,
        count(*) over (partition by price_tier.price_id) as tier_count
    from price_tier
    where not exists (
        select 1
        from capacity_limit
        where capacity_limit.price_id = price_tier.price_id
    )
)

select
    tier.price_id,
    tier.tier_number,
    case
        when tier.tier_number <> tier.expected_number
            then 'tiers are not numbered 1, 2, 3, ...'
        when tier.quantity_from <> coalesce(tier.previous_quantity_to, 0)
            then 'does not begin where the tier before it ends'
        else 'the last tier has to be open, and only the last'
    end as mistake
from tier
where
    tier.tier_number <> tier.expected_number
    or tier.quantity_from <> coalesce(tier.previous_quantity_to, 0)
    or (tier.tier_number = tier.tier_count) <> (tier.quantity_to is null)

union all

select
    price.price_id,
    cast(null as integer) as tier_number,
    case price.charge_model
        when 'dimension' then 'has no dimension_rule with a flat cost'
        else 'has no rate_schedule, or no rate_window with a rate_step'
    end as mistake
from price
where
    (
        price.charge_model = 'dimension'
        and not exists (
            select 1
            from dimension_rule
            where
                dimension_rule.price_id = price.price_id
                and dimension_rule.cost_type = 'flat'
        )
    )
    or (
        price.charge_model = 'time_of_use'
        and not exists (
            select 1
            from session_rate
            where session_rate.price_id = price.price_id
        )
    )
