-- minimum_line: what a contract still owes to reach its minimum fee.
--
-- grain:  line_id
-- reads:  billing_cycle, minimum_fee, item_line, currency
-- rule:   the minimum in force when the cycle ends, less all lines of the cycle

with line_total as (
    select
        item_line.contract_id,
        item_line.cycle_start,
        sum(item_line.amount) as amount
    from item_line
    group by
        item_line.contract_id,
        item_line.cycle_start
),

owed as (
    select
        billing_cycle.contract_id,
        billing_cycle.customer_id,
        billing_cycle.cycle_start,
        billing_cycle.cycle_end,
        minimum_fee.amount - coalesce(line_total.amount, 0) as amount_exact,
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
    owed.amount_exact,
    round_money(owed.amount_exact, currency.decimals, currency.rounding)
        as amount,
    owed.currency,
    owed.billing_period
from owed
left join currency
    on owed.currency = currency.currency
where owed.amount_exact > 0
