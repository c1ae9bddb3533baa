-- minimum_line: what a contract still owes to reach its minimum fee.
--
-- grain:  line_id
-- reads:  billing_cycle, minimum_fee, item_line, price_minimum, currency
-- rule:   the minimum in force when the cycle ends, in full or for the local days
--         of the cycle that it is in force, where that is longer than a day, less
--         all lines of the cycle, or of the customer in the billing period

with line as (
    select
        item_line.customer_id,
        item_line.contract_id,
        item_line.cycle_start,
        item_line.currency,
        item_line.billing_period,
        item_line.counted_amount as amount
    from item_line

    union all

    select
        price_minimum.customer_id,
        price_minimum.contract_id,
        price_minimum.cycle_start,
        price_minimum.currency,
        price_minimum.billing_period,
        price_minimum.counted_amount as amount
    from price_minimum
),

line_total as (
    select
        line.contract_id,
        line.cycle_start,
        sum(line.amount) as amount
    from line
    group by line.contract_id, line.cycle_start
),

customer_line_total as (
    select
        line.customer_id,
        line.currency,
        line.billing_period,
        sum(line.amount) as amount
    from line
    group by
        line.customer_id,
        line.currency,
        line.billing_period
),

owed as (
    select
        billing_cycle.contract_id,
        billing_cycle.customer_id,
        billing_cycle.cycle_start,
        billing_cycle.cycle_end,
        case
            when
                minimum_fee.proration = 'days'
                and local_date(
                    billing_cycle.full_start, billing_cycle.time_zone
                ) < local_date(billing_cycle.full_end, billing_cycle.time_zone)
                then prorate(
                    minimum_fee.amount,
                    cast(
                        local_date(
                            billing_cycle.cycle_end, billing_cycle.time_zone
                        ) as integer
                    )
                    - cast(
                        local_date(
                            greatest(
                                billing_cycle.cycle_start,
                                minimum_fee.valid_from
                            ),
                            billing_cycle.time_zone
                        ) as integer
                    ),
                    cast(
                        local_date(
                            billing_cycle.full_end, billing_cycle.time_zone
                        ) as integer
                    )
                    - cast(
                        local_date(
                            billing_cycle.full_start, billing_cycle.time_zone
                        ) as integer
                    )
                )
            else minimum_fee.amount
        end as minimum_amount,
        coalesce(
            case minimum_fee.scope
                when 'customer' then customer_line_total.amount
                else line_total.amount
            end,
            0
        ) as reached_amount,
        billing_cycle.currency,
        billing_cycle.billing_period
    from billing_cycle
    inner join minimum_fee
        on billing_cycle.contract_id = minimum_fee.contract_id
        and billing_cycle.cycle_end > minimum_fee.valid_from
        and billing_cycle.cycle_end
        <= coalesce(minimum_fee.valid_to, billing_cycle.cycle_end)
    left join line_total
        on billing_cycle.contract_id = line_total.contract_id
        and billing_cycle.cycle_start = line_total.cycle_start
    left join customer_line_total
        on billing_cycle.customer_id = customer_line_total.customer_id
        and billing_cycle.currency = customer_line_total.currency
        and billing_cycle.billing_period = customer_line_total.billing_period
)

select
    concat(
        owed.contract_id,
        '/',
        to_char(owed.cycle_start, '%Y-%m-%dT%H:%M'),
        '/minimum_fee'
    ) as line_id,
    owed.customer_id,
    owed.contract_id,
    owed.cycle_start,
    owed.cycle_end,
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
where owed.minimum_amount > owed.reached_amount
