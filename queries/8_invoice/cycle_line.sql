-- cycle_line: what does a cycle cost before credits, corrections and the rounding of
-- the invoice?
--
-- grain:  line_id
-- reads:  item_line, price_minimum, minimum_line

with minimum as (
    select
        price_minimum.line_id,
        price_minimum.customer_id,
        price_minimum.contract_id,
        price_minimum.contract_item_id,
        price_minimum.cycle_start,
        price_minimum.cycle_end,
        'Minimum amount, remaining part' as description,
        price_minimum.amount_exact,
        price_minimum.amount,
        price_minimum.counted_amount,
        price_minimum.currency,
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
        'Minimum fee, remaining part' as description,
        minimum_line.amount_exact,
        minimum_line.amount,
        minimum_line.counted_amount,
        minimum_line.currency,
        minimum_line.billing_period
    from minimum_line
)

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
    item_line.counted_amount,
    item_line.currency,
    item_line.billing_period
from item_line

union all

select
    minimum.line_id,
    minimum.customer_id,
    minimum.contract_id,
    minimum.contract_item_id,
    minimum.cycle_start,
    minimum.cycle_end,
    cast(null as varchar) as price_id,
    '' as group_key,
    'minimum_fee' as line_type,
    minimum.description,
    cast(0 as bigint) as record_count,
    cast(0 as decimal(38, 12)) as quantity,
    cast(0 as decimal(38, 12)) as included_quantity,
    cast(0 as decimal(38, 12)) as billable_quantity,
    cast(null as varchar) as unit,
    minimum.amount_exact,
    minimum.amount,
    minimum.counted_amount,
    minimum.currency,
    minimum.billing_period
from minimum
