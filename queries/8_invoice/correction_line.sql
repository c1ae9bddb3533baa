-- correction_line: what is owed now for lines of closed periods, less what was
-- billed for them?
--
-- grain:  line_id
-- reads:  period_change, rerating, rerated_line, billed_line, closed_period,
--         period_end
-- rule:   billed is the line and all its corrections so far; where nothing is
--         changed any more, what is owed is the line as it was; a correction
--         belongs to the first period that ends after the last that is closed
-- money:  differences of rounded amounts, so nothing is rounded here

with last_closed as (
    select max(closed_period.billing_period) as billing_period
    from closed_period
),

open_period as (
    select
        coalesce(
            min(period_end.billing_period),
            to_char(
                cast(last_closed.billing_period || '-01' as date)
                + interval '1 month',
                '%Y-%m'
            )
        ) as billing_period
    from last_closed
    left join period_end
        on last_closed.billing_period < period_end.billing_period
    group by last_closed.billing_period
),

rated_again as (
    select period_change.billing_period
    from period_change

    union

    select rerating.billing_period
    from rerating

    union

    -- Also what only carried on from an earlier one.
    select rerated_line.billing_period
    from rerated_line
),

touched as (
    select rated_again.billing_period
    from rated_again

    union

    select billed_line.corrected_period as billing_period
    from billed_line
    where billed_line.corrected_period is not null
),

truth as (
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
        rerated_line.currency
    from rerated_line
    inner join rated_again
        on rerated_line.billing_period = rated_again.billing_period
    where rerated_line.corrected_period is null

    union all

    select
        billed_line.billing_period,
        billed_line.line_id,
        billed_line.customer_id,
        billed_line.contract_id,
        billed_line.contract_item_id,
        billed_line.cycle_start,
        billed_line.cycle_end,
        billed_line.price_id,
        billed_line.group_key,
        billed_line.description,
        billed_line.record_count,
        billed_line.quantity,
        billed_line.included_quantity,
        billed_line.billable_quantity,
        billed_line.unit,
        billed_line.amount_exact,
        billed_line.amount,
        billed_line.currency
    from billed_line
    inner join touched
        on billed_line.billing_period = touched.billing_period
    where
        billed_line.corrected_period is null
        and not exists (
            select 1
            from rated_again
            where rated_again.billing_period = billed_line.billing_period
        )
),

entry as (
    select
        truth.billing_period,
        truth.line_id,
        truth.customer_id,
        truth.contract_id,
        truth.contract_item_id,
        truth.cycle_start,
        truth.cycle_end,
        truth.price_id,
        truth.group_key,
        truth.description,
        truth.record_count,
        truth.quantity,
        truth.included_quantity,
        truth.billable_quantity,
        truth.unit,
        truth.amount_exact,
        truth.amount,
        truth.currency
    from truth

    union all

    select
        touched.billing_period,
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
        -billed_line.record_count as record_count,
        -billed_line.quantity as quantity,
        -billed_line.included_quantity as included_quantity,
        -billed_line.billable_quantity as billable_quantity,
        billed_line.unit,
        -billed_line.amount_exact as amount_exact,
        -billed_line.amount as amount,
        billed_line.currency
    from billed_line
    inner join touched
        on coalesce(billed_line.corrected_period, billed_line.billing_period)
        = touched.billing_period
),

difference as (
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
        sum(entry.record_count) as record_count,
        sum(entry.quantity) as quantity,
        sum(entry.included_quantity) as included_quantity,
        sum(entry.billable_quantity) as billable_quantity,
        max(entry.unit) as unit,
        sum(entry.amount_exact) as amount_exact,
        sum(entry.amount) as amount,
        entry.currency
    from entry
    group by
        entry.billing_period,
        entry.line_id,
        entry.customer_id,
        entry.currency
),

-- A line that has moved to somebody else, or to another period, is taken from one
-- and given to the other.
owed as (
    select
        difference.billing_period,
        difference.line_id,
        difference.customer_id,
        difference.contract_id,
        difference.contract_item_id,
        difference.cycle_start,
        difference.cycle_end,
        difference.price_id,
        difference.group_key,
        difference.description,
        difference.record_count,
        difference.quantity,
        difference.included_quantity,
        difference.billable_quantity,
        difference.unit,
        difference.amount_exact,
        difference.amount,
        difference.currency,
        count(*) over (
            partition by difference.billing_period, difference.line_id
        ) as payers,
        min(difference.billing_period) over (
            partition by difference.line_id
        )
        <> max(difference.billing_period) over (
            partition by difference.line_id
        ) as has_moved
    from difference
    where
        difference.amount <> 0
        or difference.quantity <> 0
        or difference.amount_exact <> 0
        or difference.record_count <> 0
)

select
    concat(
        owed.line_id,
        '/correction-',
        open_period.billing_period,
        case
            when owed.has_moved then concat('/', owed.billing_period)
            else ''
        end,
        case
            when owed.payers > 1
                then concat('/', owed.customer_id, '/', owed.currency)
            else ''
        end
    ) as line_id,
    owed.customer_id,
    owed.contract_id,
    owed.contract_item_id,
    owed.cycle_start,
    owed.cycle_end,
    owed.price_id,
    owed.group_key,
    'correction' as line_type,
    concat(
        'Correction of ',
        owed.billing_period,
        ': ',
        coalesce(owed.description, 'line without usage')
    ) as description,
    cast(owed.record_count as bigint) as record_count,
    owed.quantity,
    owed.included_quantity,
    owed.billable_quantity,
    owed.unit,
    owed.amount_exact,
    owed.amount,
    owed.currency,
    owed.billing_period as corrected_period,
    owed.line_id as corrected_line_id,
    open_period.billing_period
from owed
cross join open_period
