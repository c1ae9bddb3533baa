-- charge: what is owed for a price, tier and cycle, after discount and maximum?
--
-- grain:  contract_item_id, cycle_start, price_id, group_key, tier_number
-- reads:  tier_charge, price_modifier, priced_cycle
-- rule:   where it is declared a charge is rounded; then the discount comes off,
--         rounded the same way; what lifts the charges of the cycle above the
--         maximum, in order of version, group and tier, is discounted, too: the
--         versions of a price that have a maximum share it
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
        rounded.*,
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
        end as net_amount
    from rounded
),

bounded_price as (
    select price_modifier.price_id
    from price_modifier
    where price_modifier.maximum_amount is not null
),

running as (
    select
        discounted.*,
        sum(discounted.net_amount) over (
            partition by
                discounted.contract_item_id,
                discounted.cycle_start,
                discounted.billing_period
            order by
                priced_cycle.version_number,
                discounted.group_key,
                discounted.tier_number
            rows between unbounded preceding and current row
        ) as amount_until
    from bounded_price -- the few come first: without any, no charge is read for it
    inner join discounted
        on bounded_price.price_id = discounted.price_id
    inner join priced_cycle
        on discounted.contract_item_id = priced_cycle.contract_item_id
        and discounted.cycle_start = priced_cycle.cycle_start
        and discounted.price_id = priced_cycle.price_id
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
        least(running.amount_until, running.maximum_amount)
        - least(
            running.amount_until - running.net_amount, running.maximum_amount
        ) as amount,
        running.billing_period
    from running

    union all

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
        discounted.net_amount as amount,
        discounted.billing_period
    from discounted
    where discounted.maximum_amount is null
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
