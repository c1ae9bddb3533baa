-- correction_step: how does a correction come about, step by step?
--
-- grain:  line_id, stage, by_rule
-- reads:  invoice_line, closed_period, corrected_period, rerated_line,
--         billed_line, currency
-- rule:   what is owed now, less the line as it was billed and its corrections
--         that were billed before; where the correction is billed itself, what
--         was owed then
-- money:  differences of rounded amounts

with correction as (
    select
        invoice_line.line_id,
        invoice_line.customer_id,
        invoice_line.corrected_period,
        invoice_line.corrected_line_id,
        invoice_line.amount,
        invoice_line.currency,
        coalesce(currency.decimals, 2) as decimals,
        closed_period.billing_period is not null as is_closed,
        coalesce(corrected_period.is_rated_again, false) as is_rated_again,
        invoice_line.billing_period
    from invoice_line
    left join closed_period
        on invoice_line.billing_period = closed_period.billing_period
    left join corrected_period
        on invoice_line.corrected_period = corrected_period.billing_period
    left join currency
        on invoice_line.currency = currency.currency
    where invoice_line.corrected_period is not null
),

-- The line itself and the corrections of it that were billed before.
billed_entry as (
    select
        correction.line_id,
        correction.billing_period,
        correction.currency,
        correction.decimals,
        billed_line.billing_period as billed_in,
        billed_line.line_id as billed_line_id,
        billed_line.amount
    from correction
    inner join billed_line
        on correction.corrected_period = coalesce(
            billed_line.corrected_period, billed_line.billing_period
        )
        and correction.corrected_line_id = coalesce(
            billed_line.corrected_line_id, billed_line.line_id
        )
        and correction.customer_id = billed_line.customer_id
        and correction.currency = billed_line.currency
        and billed_line.billing_period < correction.billing_period
),

billed_total as (
    select
        billed_entry.line_id,
        sum(billed_entry.amount) as amount
    from billed_entry
    group by billed_entry.line_id
)

select
    correction.line_id,
    correction.billing_period,
    correction.currency,
    1 as stage,
    0 as place,
    'owed now' as what,
    case
        when correction.is_closed
            then concat(
                'the line as it was rated when ',
                correction.billing_period,
                ' closed: ',
                number_text(
                    correction.amount + coalesce(billed_total.amount, 0),
                    correction.decimals
                )
            )
        when rerated_line.line_id is not null
            then concat(
                'the line rated again: ',
                number_text(rerated_line.billable_quantity, 0),
                coalesce(' ' || rerated_line.unit, ''),
                ' for ',
                number_text(rerated_line.amount, correction.decimals)
            )
        when not correction.is_rated_again and billed_line.line_id is not null
            then concat(
                'the line as it was: ',
                number_text(billed_line.amount, correction.decimals)
            )
        else 'no such line any more: 0'
    end as formula,
    case
        when correction.is_closed
            then correction.amount + coalesce(billed_total.amount, 0)
        when correction.is_rated_again
            then coalesce(rerated_line.amount, 0)
        else coalesce(billed_line.amount, 0)
    end as amount,
    concat(
        'late and voided usage, or a rerating, of ',
        correction.corrected_period
    ) as by_rule,
    'correction_line' as made_by
from correction
left join rerated_line
    on correction.corrected_period = rerated_line.billing_period
    and correction.corrected_line_id = rerated_line.line_id
    and correction.customer_id = rerated_line.customer_id
    and correction.currency = rerated_line.currency
    and rerated_line.corrected_period is null
    and not correction.is_closed
    and correction.is_rated_again
left join billed_line
    on correction.corrected_period = billed_line.billing_period
    and correction.corrected_line_id = billed_line.line_id
    and correction.customer_id = billed_line.customer_id
    and correction.currency = billed_line.currency
    and billed_line.corrected_period is null
left join billed_total
    on correction.line_id = billed_total.line_id

union all

select
    billed_entry.line_id,
    billed_entry.billing_period,
    billed_entry.currency,
    2 as stage,
    0 as place,
    concat('billed in ', billed_entry.billed_in) as what,
    concat(
        'less ', number_text(billed_entry.amount, billed_entry.decimals)
    ) as formula,
    -billed_entry.amount as amount,
    billed_entry.billed_line_id as by_rule,
    'billed_line' as made_by
from billed_entry
