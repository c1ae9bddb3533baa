-- charge_model: a price has what its charge model needs, and nothing that the
-- model does not take; see known_model.

with superfluous as (
    select distinct
        price.price_id,
        price.charge_model,
        given_part.part
    from price
    inner join known_model
        on price.charge_model = known_model.charge_model
    inner join given_part
        on price.price_id = given_part.price_id
    where
        not array_has(known_model.needs, given_part.part)
        and not array_has(known_model.takes, given_part.part)
),

needed as (
    select
        known_model.charge_model,
        unnest(known_model.needs) as part
    from known_model
)

select
    superfluous.price_id,
    superfluous.charge_model,
    concat('does not take ', superfluous.part) as mistake
from superfluous

union all

select
    price.price_id,
    price.charge_model,
    concat('has no ', needed.part) as mistake
from price
inner join needed
    on price.charge_model = needed.charge_model
where not exists (
    select 1
    from given_part
    where
        given_part.price_id = price.price_id
        and given_part.part = needed.part
)

union all

select
    price.price_id,
    price.charge_model,
    concat(
        'tiers that go on are charged by the unit: tier ',
        cast(price_tier.tier_number as varchar), ' has a block_quantity'
    ) as mistake
from price_modifier
inner join price
    on price_modifier.price_id = price.price_id
inner join price_tier
    on price.price_id = price_tier.price_id
where
    price_modifier.tiers_go_on
    and price_tier.block_quantity is not null

union all

-- A level goes on, or is there for a share of the cycle.
select
    price.price_id,
    price.charge_model,
    'has no metric of a level' as mistake
from price
where
    price.charge_model in ('level_volume', 'level_graduated')
    and not exists (
        select 1
        from metric
        where
            metric.product_id = price.product_id
            and (
                price.charge_model = 'level_volume'
                or metric.carries_over
                or metric.proration <> 'none'
                or metric.aggregation = 'weighted_sum'
                or (
                    metric.aggregation = 'unique_count'
                    and metric.window_interval is null
                )
            )
    )
