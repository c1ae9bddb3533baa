-- charge: what is owed for a price, tier and cycle, after discount and maximum?
--
-- grain:  contract_item_id, cycle_start, price_id, group_key, tier_number
-- reads:  tier_charge, price_modifier
-- rule:   where it is declared a charge is rounded; then the discount comes off,
--         rounded the same way; what lifts the price's charges of the cycle above
--         the maximum, in order of group and tier, is discounted, too
-- money:  as declared, else unrounded, decimal(38, 12)

with rounded as (
    select
        tier_charge.contract_item_id,
        tier_charge.cycle_start,
        tier_charge.price_id,
        tier_charge.group_key,
        tier_charge.tier_number,
        tier_charge.quantity,
        tier_charge.block_count,
        tier_charge.unit_amount,
        tier_charge.flat_amount,
        round_money(
            tier_charge.amount,
            coalesce(price_modifier.charge_decimals, 12),
            coalesce(price_modifier.charge_rounding, 'half_up')
        ) as gross_amount,
        price_modifier.charge_decimals,
        price_modifier.charge_rounding,
        price_modifier.discount_percent,
        price_modifier.maximum_amount,
        tier_charge.billing_period
    from tier_charge
    left join price_modifier
        on tier_charge.price_id = price_modifier.price_id
),

discounted as (
    select
        rounded.contract_item_id,
        rounded.cycle_start,
        rounded.price_id,
        rounded.group_key,
        rounded.tier_number,
        rounded.quantity,
        rounded.block_count,
        rounded.unit_amount,
        rounded.flat_amount,
        rounded.gross_amount,
        rounded.gross_amount
        - case
            when coalesce(rounded.discount_percent, 0) = 0 then 0
            else
                round_ratio(
                    rounded.gross_amount,
                    rounded.discount_percent,
                    100,
                    coalesce(rounded.charge_decimals, 12),
                    rounded.charge_rounding
                )
        end as net_amount,
        rounded.maximum_amount,
        rounded.billing_period
    from rounded
),

running as (
    select
        discounted.contract_item_id,
        discounted.cycle_start,
        discounted.price_id,
        discounted.group_key,
        discounted.tier_number,
        discounted.quantity,
        discounted.block_count,
        discounted.unit_amount,
        discounted.flat_amount,
        discounted.gross_amount,
        discounted.net_amount,
        discounted.maximum_amount,
        sum(discounted.net_amount) over (
            partition by
                discounted.contract_item_id,
                discounted.cycle_start,
                discounted.price_id
            order by discounted.group_key, discounted.tier_number
            rows between unbounded preceding and current row
        ) as amount_until,
        discounted.billing_period
    from discounted
),

capped as (
    select
        running.contract_item_id,
        running.cycle_start,
        running.price_id,
        running.group_key,
        running.tier_number,
        running.quantity,
        running.block_count,
        running.unit_amount,
        running.flat_amount,
        running.gross_amount,
        case
            when running.maximum_amount is null then running.net_amount
            else
                least(running.amount_until, running.maximum_amount)
                - least(
                    running.amount_until - running.net_amount,
                    running.maximum_amount
                )
        end as amount,
        running.billing_period
    from running
)

select
    capped.contract_item_id,
    capped.cycle_start,
    capped.price_id,
    capped.group_key,
    capped.tier_number,
    capped.quantity,
    capped.block_count,
    capped.unit_amount,
    capped.flat_amount,
    capped.gross_amount,
    capped.gross_amount - capped.amount as discount_amount,
    capped.amount,
    capped.billing_period
from capped
