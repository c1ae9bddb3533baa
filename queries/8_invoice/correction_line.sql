-- correction_line: what is owed now for lines of closed periods, less what was
-- billed for them?
--
-- grain:  line_id
-- reads:  corrected_period, correcting_period, rerated_line, billed_line
-- rule:   billed is the line and all its corrections so far; a line that has moved
--         to somebody else, or to another period, is taken from one and given to
--         the other
-- money:  differences of rounded amounts, so nothing is rounded here

with entry as (
    select
        rerated_line.billing_period,
        rerated_line.line_id,
        rerated_line.customer_id,
        rerated_line.contract_id,
        rerated_line.contract_item_id,
        rerated_line.cycle_start,
        rerated_line.cycle_end,
        rerated_line.price_id,
        rerated_line.group_key,
        rerated_line.description,
        rerated_line.record_count,
        rerated_line.quantity,
        rerated_line.included_quantity,
        rerated_line.billable_quantity,
        rerated_line.unit,
        rerated_line.amount_exact,
        rerated_line.amount,
        rerated_line.currency,
        1 as times
    from rerated_line
    where rerated_line.corrected_period is null

    union all

    select
        corrected_period.billing_period,
        coalesce(billed_line.corrected_line_id, billed_line.line_id) as line_id,
        billed_line.customer_id,
        billed_line.contract_id,
        billed_line.contract_item_id,
        billed_line.cycle_start,
        billed_line.cycle_end,
        billed_line.price_id,
        billed_line.group_key,
        case
            when billed_line.corrected_period is null
                then billed_line.description
        end as description,
        billed_line.record_count,
        billed_line.quantity,
        billed_line.included_quantity,
        billed_line.billable_quantity,
        billed_line.unit,
        billed_line.amount_exact,
        billed_line.amount,
        billed_line.currency,
        -- Where nothing is changed any more, a line is owed as it was billed.
        case
            when billed_line.corrected_period is not null then -1
            when corrected_period.is_rated_again then -1
            else 0
        end as times
    from billed_line
    inner join corrected_period
        on coalesce(billed_line.corrected_period, billed_line.billing_period)
        = corrected_period.billing_period
),

line_delta as (
    select
        entry.billing_period,
        entry.line_id,
        entry.customer_id,
        max(entry.contract_id) as contract_id,
        max(entry.contract_item_id) as contract_item_id,
        max(entry.cycle_start) as cycle_start,
        max(entry.cycle_end) as cycle_end,
        max(entry.price_id) as price_id,
        max(entry.group_key) as group_key,
        max(entry.description) as description,
        sum(entry.times * entry.record_count) as record_count,
        sum(entry.times * entry.quantity) as quantity,
        sum(entry.times * entry.included_quantity) as included_quantity,
        sum(entry.times * entry.billable_quantity) as billable_quantity,
        max(entry.unit) as unit,
        sum(entry.times * entry.amount_exact) as amount_exact,
        sum(entry.times * entry.amount) as amount,
        entry.currency
    from entry
    group by
        entry.billing_period,
        entry.line_id,
        entry.customer_id,
        entry.currency
)

select
    concat(
        line_delta.line_id,
        '/correction-',
        correcting_period.billing_period,
        case
            when min(line_delta.billing_period) over moved
                <> max(line_delta.billing_period) over moved
                then concat('/', line_delta.billing_period)
            else ''
        end,
        case
            when count(*) over payer > 1
                then concat('/', line_delta.customer_id, '/', line_delta.currency)
            else ''
        end
    ) as line_id,
    line_delta.customer_id,
    line_delta.contract_id,
    line_delta.contract_item_id,
    line_delta.cycle_start,
    line_delta.cycle_end,
    line_delta.price_id,
    line_delta.group_key,
    'correction' as line_type,
    concat(
        'Correction of ',
        line_delta.billing_period,
        ': ',
        coalesce(line_delta.description, 'line without usage')
    ) as description,
    cast(line_delta.record_count as bigint) as record_count,
    line_delta.quantity,
    line_delta.included_quantity,
    line_delta.billable_quantity,
    line_delta.unit,
    line_delta.amount_exact,
    line_delta.amount,
    line_delta.currency,
    line_delta.billing_period as corrected_period,
    line_delta.line_id as corrected_line_id,
    correcting_period.billing_period
from line_delta
cross join correcting_period
where
    line_delta.amount <> 0
    or line_delta.quantity <> 0
    or line_delta.amount_exact <> 0
    or line_delta.record_count <> 0
window
    moved as (partition by line_delta.line_id),
    payer as (partition by line_delta.billing_period, line_delta.line_id)
