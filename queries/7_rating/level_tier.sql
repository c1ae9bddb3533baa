-- level_tier: which share of a level is in which tier of its price?
--
-- grain:  contract_item_id, cycle_start, price_id, group_key, tier_number
-- reads:  level_change, price, price_tier
-- rule:   each move of the level passes through tiers, upwards where units are
--         added and downwards where they go, and counts in each for its share of
--         the cycle; a tier is reached where the level is ever above its begin;
--         the first is always, and takes what is below zero; a level that comes
--         to less than nothing costs nothing
-- money:  unrounded, decimal(38, 12); null for all tiers where one has more than 20
--         digits before the point

with moved as (
    select
        level_change.contract_item_id,
        level_change.cycle_start,
        level_change.price_id,
        level_change.group_key,
        level_change.share_part,
        level_change.share_whole,
        sum(level_change.quantity) over in_order as level_after,
        sum(level_change.quantity) over in_order
        - level_change.quantity as level_before,
        sum(
            cast(level_change.quantity as decimal(76, 12))
            * cast(level_change.share_part as decimal(19, 0))
        ) over (
            partition by
                level_change.contract_item_id,
                level_change.cycle_start,
                level_change.price_id,
                level_change.group_key
        ) >= 0 as is_charged
    from price
    inner join level_change
        on price.price_id = level_change.price_id
    where price.charge_model = 'level_graduated'
    window in_order as (
        partition by
            level_change.contract_item_id,
            level_change.cycle_start,
            level_change.price_id,
            level_change.group_key
        order by level_change.change_number
        rows between unbounded preceding and current row
    )
),

in_tier as (
    select
        moved.*,
        price_tier.tier_number,
        price_tier.unit_amount,
        price_tier.flat_amount,
        moved.level_after > price_tier.quantity_from
        or price_tier.tier_number = 1 as is_reached,
        -- The level within the tier, after the move and before it.
        least(
            moved.level_after,
            coalesce(price_tier.quantity_to, moved.level_after)
        )
        - case price_tier.tier_number
            when 1 then 0
            else least(moved.level_after, price_tier.quantity_from)
        end
        - least(
            moved.level_before,
            coalesce(price_tier.quantity_to, moved.level_before)
        )
        + case price_tier.tier_number
            when 1 then 0
            else least(moved.level_before, price_tier.quantity_from)
        end as quantity
    from moved
    inner join price_tier
        on moved.price_id = price_tier.price_id
),

tier_total as (
    select
        in_tier.contract_item_id,
        in_tier.cycle_start,
        in_tier.price_id,
        in_tier.group_key,
        in_tier.tier_number,
        in_tier.unit_amount,
        in_tier.share_whole,
        in_tier.is_charged,
        sum(
            cast(in_tier.quantity as decimal(76, 12))
            * cast(in_tier.share_part as decimal(19, 0))
        ) as shared_quantity,
        case
            when in_tier.is_charged and bool_or(in_tier.is_reached)
                then in_tier.flat_amount
            else 0
        end as flat_amount
    from in_tier
    group by
        in_tier.contract_item_id,
        in_tier.cycle_start,
        in_tier.price_id,
        in_tier.group_key,
        in_tier.tier_number,
        in_tier.unit_amount,
        in_tier.flat_amount,
        in_tier.share_whole,
        in_tier.is_charged
    having bool_or(in_tier.is_reached) or sum(in_tier.quantity) <> 0
),

priced as (
    select
        tier_total.*,
        case
            when tier_total.is_charged
                then try_prorate(
                    tier_total.shared_quantity,
                    tier_total.unit_amount,
                    tier_total.share_whole
                )
                + tier_total.flat_amount
            else 0
        end as amount
    from tier_total
)

select
    priced.contract_item_id,
    priced.cycle_start,
    priced.price_id,
    priced.group_key,
    priced.tier_number,
    prorate(priced.shared_quantity, 1, priced.share_whole) as quantity,
    priced.unit_amount,
    priced.flat_amount,
    case
        when count(*) over in_group = count(priced.amount) over in_group
            then priced.amount
    end as amount
from priced
window in_group as (
    partition by
        priced.contract_item_id,
        priced.cycle_start,
        priced.price_id,
        priced.group_key
)
