-- invoice_line: what does the customer read, and pay?
--
-- grain:  line_id
-- reads:  cycle_line, credit_balance, rounding_line, correction_line

with without_usage as (
    select
        credit_balance.line_id,
        credit_balance.customer_id,
        credit_balance.contract_id,
        credit_balance.cycle_start,
        credit_balance.cycle_end,
        'credit' as line_type,
        'Credit applied' as description,
        -sum(credit_balance.used_amount) as amount_exact,
        -sum(credit_balance.used_amount_rounded) as amount,
        credit_balance.currency,
        credit_balance.billing_period
    from credit_balance
    group by
        credit_balance.line_id,
        credit_balance.customer_id,
        credit_balance.contract_id,
        credit_balance.cycle_start,
        credit_balance.cycle_end,
        credit_balance.currency,
        credit_balance.billing_period
    having sum(credit_balance.used_amount) > 0

    union all

    select
        concat(
            rounding_line.customer_id,
            '/',
            rounding_line.billing_period,
            '/',
            rounding_line.currency,
            '/rounding'
        ) as line_id,
        rounding_line.customer_id,
        rounding_line.contract_id,
        rounding_line.cycle_start,
        rounding_line.cycle_end,
        'rounding' as line_type,
        'Rounding' as description,
        cast(0 as decimal(38, 12)) as amount_exact,
        rounding_line.amount,
        rounding_line.currency,
        rounding_line.billing_period
    from rounding_line
)

select
    cycle_line.line_id,
    cycle_line.customer_id,
    cycle_line.contract_id,
    cycle_line.contract_item_id,
    cycle_line.cycle_start,
    cycle_line.cycle_end,
    cycle_line.price_id,
    cycle_line.group_key,
    cycle_line.line_type,
    cycle_line.description,
    cycle_line.record_count,
    cycle_line.quantity,
    cycle_line.included_quantity,
    cycle_line.billable_quantity,
    cycle_line.unit,
    cycle_line.amount_exact,
    cycle_line.amount,
    cycle_line.currency,
    cast(null as varchar) as corrected_period,
    cast(null as varchar) as corrected_line_id,
    cycle_line.billing_period
from cycle_line

union all

select
    without_usage.line_id,
    without_usage.customer_id,
    without_usage.contract_id,
    cast(null as varchar) as contract_item_id,
    without_usage.cycle_start,
    without_usage.cycle_end,
    cast(null as varchar) as price_id,
    '' as group_key,
    without_usage.line_type,
    without_usage.description,
    cast(0 as bigint) as record_count,
    cast(0 as decimal(38, 12)) as quantity,
    cast(0 as decimal(38, 12)) as included_quantity,
    cast(0 as decimal(38, 12)) as billable_quantity,
    cast(null as varchar) as unit,
    without_usage.amount_exact,
    without_usage.amount,
    without_usage.currency,
    cast(null as varchar) as corrected_period,
    cast(null as varchar) as corrected_line_id,
    without_usage.billing_period
from without_usage

union all

select
    correction_line.line_id,
    correction_line.customer_id,
    correction_line.contract_id,
    correction_line.contract_item_id,
    correction_line.cycle_start,
    correction_line.cycle_end,
    correction_line.price_id,
    correction_line.group_key,
    correction_line.line_type,
    correction_line.description,
    correction_line.record_count,
    correction_line.quantity,
    correction_line.included_quantity,
    correction_line.billable_quantity,
    correction_line.unit,
    correction_line.amount_exact,
    correction_line.amount,
    correction_line.currency,
    correction_line.corrected_period,
    correction_line.corrected_line_id,
    correction_line.billing_period
from correction_line
