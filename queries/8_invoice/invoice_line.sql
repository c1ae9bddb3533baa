-- invoice_line: what does the customer read, and pay?
--
-- grain:  line_id
-- reads:  item_line, price_minimum, minimum_line, credit_balance,
--         rounding_line, correction_line

select
    item_line.line_id,
    item_line.customer_id,
    item_line.contract_id,
    item_line.contract_item_id,
    item_line.cycle_start,
    item_line.cycle_end,
    item_line.price_id,
    item_line.group_key,
    item_line.line_type,
    item_line.description,
    item_line.record_count,
    item_line.quantity,
    item_line.included_quantity,
    item_line.billable_quantity,
    item_line.unit,
    item_line.amount_exact,
    item_line.amount,
    item_line.currency,
    cast(null as varchar) as corrected_period,
    cast(null as varchar) as corrected_line_id,
    item_line.billing_period
from item_line

union all

select
    price_minimum.line_id,
    price_minimum.customer_id,
    price_minimum.contract_id,
    price_minimum.contract_item_id,
    price_minimum.cycle_start,
    price_minimum.cycle_end,
    cast(null as varchar) as price_id,
    '' as group_key,
    'minimum_fee' as line_type,
    'Minimum amount, remaining part' as description,
    cast(0 as bigint) as record_count,
    cast(0 as decimal(38, 12)) as quantity,
    cast(0 as decimal(38, 12)) as included_quantity,
    cast(0 as decimal(38, 12)) as billable_quantity,
    cast(null as varchar) as unit,
    price_minimum.amount_exact,
    price_minimum.amount,
    price_minimum.currency,
    cast(null as varchar) as corrected_period,
    cast(null as varchar) as corrected_line_id,
    price_minimum.billing_period
from price_minimum

union all

select
    minimum_line.line_id,
    minimum_line.customer_id,
    minimum_line.contract_id,
    cast(null as varchar) as contract_item_id,
    minimum_line.cycle_start,
    minimum_line.cycle_end,
    cast(null as varchar) as price_id,
    '' as group_key,
    'minimum_fee' as line_type,
    'Minimum fee, remaining part' as description,
    cast(0 as bigint) as record_count,
    cast(0 as decimal(38, 12)) as quantity,
    cast(0 as decimal(38, 12)) as included_quantity,
    cast(0 as decimal(38, 12)) as billable_quantity,
    cast(null as varchar) as unit,
    minimum_line.amount_exact,
    minimum_line.amount,
    minimum_line.currency,
    cast(null as varchar) as corrected_period,
    cast(null as varchar) as corrected_line_id,
    minimum_line.billing_period
from minimum_line

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

union all

select
    credit_balance.line_id,
    credit_balance.customer_id,
    credit_balance.contract_id,
    cast(null as varchar) as contract_item_id,
    credit_balance.cycle_start,
    credit_balance.cycle_end,
    cast(null as varchar) as price_id,
    '' as group_key,
    'credit' as line_type,
    'Credit applied' as description,
    cast(0 as bigint) as record_count,
    cast(0 as decimal(38, 12)) as quantity,
    cast(0 as decimal(38, 12)) as included_quantity,
    cast(0 as decimal(38, 12)) as billable_quantity,
    cast(null as varchar) as unit,
    -sum(credit_balance.used_amount) as amount_exact,
    -sum(credit_balance.used_amount_rounded) as amount,
    credit_balance.currency,
    cast(null as varchar) as corrected_period,
    cast(null as varchar) as corrected_line_id,
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
    cast(null as varchar) as contract_item_id,
    rounding_line.cycle_start,
    rounding_line.cycle_end,
    cast(null as varchar) as price_id,
    '' as group_key,
    'rounding' as line_type,
    'Rounding' as description,
    cast(0 as bigint) as record_count,
    cast(0 as decimal(38, 12)) as quantity,
    cast(0 as decimal(38, 12)) as included_quantity,
    cast(0 as decimal(38, 12)) as billable_quantity,
    cast(null as varchar) as unit,
    cast(0 as decimal(38, 12)) as amount_exact,
    rounding_line.amount,
    rounding_line.currency,
    cast(null as varchar) as corrected_period,
    cast(null as varchar) as corrected_line_id,
    rounding_line.billing_period
from rounding_line
