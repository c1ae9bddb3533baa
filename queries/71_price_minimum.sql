-- price_minimum: what an item still owes to reach the minimum of its price.
--
-- grain:  contract_item_id, cycle_start, price_id
-- reads:  price_modifier, item_cycle, interim_cycle, item_line, currency,
--         released_line
-- rule:   the minimum, in full or for the days the price counts, less the lines
--         of the item and price; only once the cycle has ended; one that has
--         moved from a closed period has the new one in its id

with line_total as (
    select
        item_line.contract_item_id,
        item_line.cycle_start,
        item_line.price_id,
        sum(item_line.amount) as amount
    from item_line
    group by
        item_line.contract_item_id,
        item_line.cycle_start,
        item_line.price_id
),

owed as (
    select
        concat(
            item_cycle.contract_item_id,
            '/',
            to_char(item_cycle.cycle_start, '%Y-%m-%dT%H:%M'),
            '/',
            item_cycle.price_id,
            '/minimum'
        ) as line_id,
        item_cycle.contract_item_id,
        item_cycle.cycle_start,
        item_cycle.price_id,
        item_cycle.cycle_end,
        item_cycle.customer_id,
        item_cycle.contract_id,
        case price_modifier.minimum_proration
            when 'days'
                then prorate(
                    price_modifier.minimum_amount,
                    item_cycle.days,
                    item_cycle.full_days
                )
            else price_modifier.minimum_amount
        end as minimum_amount,
        coalesce(line_total.amount, 0) as reached_amount,
        item_cycle.currency,
        item_cycle.billing_period
    from price_modifier
    inner join item_cycle
        on price_modifier.price_id = item_cycle.price_id
    left join line_total
        on item_cycle.contract_item_id = line_total.contract_item_id
        and item_cycle.cycle_start = line_total.cycle_start
        and item_cycle.price_id = line_total.price_id
    where
        price_modifier.minimum_amount > 0
        and not exists (
            select 1
            from interim_cycle
            where
                interim_cycle.contract_item_id = item_cycle.contract_item_id
                and interim_cycle.cycle_start = item_cycle.cycle_start
        )
)

select
    case
        when released_line.billing_period <> owed.billing_period
            then concat(owed.line_id, '/', owed.billing_period)
        else owed.line_id
    end as line_id,
    owed.customer_id,
    owed.contract_id,
    owed.contract_item_id,
    owed.cycle_start,
    owed.cycle_end,
    owed.price_id,
    owed.minimum_amount,
    owed.minimum_amount - owed.reached_amount as amount_exact,
    round_money(
        owed.minimum_amount - owed.reached_amount,
        currency.decimals,
        currency.rounding
    ) as amount,
    owed.currency,
    owed.billing_period
from owed
left join currency
    on owed.currency = currency.currency
left join released_line
    on owed.line_id = released_line.line_id
where owed.minimum_amount > owed.reached_amount
