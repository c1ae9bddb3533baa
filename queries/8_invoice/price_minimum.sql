-- price_minimum: what an item still owes to reach the minimum of its price.
--
-- grain:  contract_item_id, cycle_start, price_id
-- reads:  price_modifier, priced_cycle, interim_cycle, item_line, currency,
--         reopened_line
-- rule:   the minimum, in full or for the days the price counts, less the lines
--         of the item and price; versions of a price that have one share it: that
--         of the last, or the sum of their days, less the lines of all; only once
--         the cycle has ended; one that has moved from a closed period has the
--         new one in its id

with line_total as (
    select
        item_line.contract_item_id,
        item_line.cycle_start,
        item_line.price_id,
        sum(item_line.counted_amount) as amount
    from item_line
    group by
        item_line.contract_item_id,
        item_line.cycle_start,
        item_line.price_id
),

minimum_version as (
    select
        priced_cycle.contract_item_id,
        priced_cycle.cycle_start,
        priced_cycle.price_id,
        priced_cycle.cycle_end,
        priced_cycle.customer_id,
        priced_cycle.contract_id,
        price_modifier.minimum_proration,
        price_modifier.minimum_amount,
        prorate(
            price_modifier.minimum_amount,
            case priced_cycle.full_days when 0 then 1 else priced_cycle.days end,
            greatest(priced_cycle.full_days, 1) -- a cycle within a day is a whole one
        ) as minimum_of_days,
        coalesce(line_total.amount, 0) as reached_amount,
        priced_cycle.currency,
        priced_cycle.billing_period,
        row_number() over (
            partition by
                priced_cycle.contract_item_id,
                priced_cycle.cycle_start,
                priced_cycle.billing_period
            order by priced_cycle.version_number desc
        ) as recency
    from price_modifier
    inner join priced_cycle
        on price_modifier.price_id = priced_cycle.price_id
    left join line_total
        on priced_cycle.contract_item_id = line_total.contract_item_id
        and priced_cycle.cycle_start = line_total.cycle_start
        and priced_cycle.price_id = line_total.price_id
    where
        price_modifier.minimum_amount > 0
        and not exists (
            select 1
            from interim_cycle
            where
                interim_cycle.contract_item_id = priced_cycle.contract_item_id
                and interim_cycle.cycle_start = priced_cycle.cycle_start
        )
),

in_cycle as (
    select
        minimum_version.contract_item_id,
        minimum_version.cycle_start,
        minimum_version.billing_period,
        sum(minimum_version.minimum_of_days) as minimum_of_days,
        sum(minimum_version.reached_amount) as reached_amount
    from minimum_version
    group by
        minimum_version.contract_item_id,
        minimum_version.cycle_start,
        minimum_version.billing_period
),

owed as (
    select
        concat(
            minimum_version.contract_item_id,
            '/',
            to_char(minimum_version.cycle_start, '%Y-%m-%dT%H:%M'),
            '/',
            minimum_version.price_id,
            '/minimum'
        ) as line_id,
        minimum_version.contract_item_id,
        minimum_version.cycle_start,
        minimum_version.price_id,
        minimum_version.cycle_end,
        minimum_version.customer_id,
        minimum_version.contract_id,
        case minimum_version.minimum_proration
            when 'days' then in_cycle.minimum_of_days
            else minimum_version.minimum_amount
        end as minimum_amount,
        in_cycle.reached_amount,
        minimum_version.currency,
        minimum_version.billing_period
    from minimum_version
    inner join in_cycle
        on minimum_version.contract_item_id = in_cycle.contract_item_id
        and minimum_version.cycle_start = in_cycle.cycle_start
        and minimum_version.billing_period = in_cycle.billing_period
    where minimum_version.recency = 1
)

select
    case
        when reopened_line.billing_period <> owed.billing_period
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
    case currency.rounding_level
        when 'invoice' then owed.minimum_amount - owed.reached_amount
        else
            round_money(
                owed.minimum_amount - owed.reached_amount,
                currency.decimals,
                currency.rounding
            )
    end as counted_amount,
    owed.currency,
    owed.billing_period
from owed
left join currency
    on owed.currency = currency.currency
left join reopened_line
    on owed.line_id = reopened_line.line_id
where owed.minimum_amount > owed.reached_amount
