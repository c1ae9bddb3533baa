-- invoice_step: how does the rounding of an invoice come about, step by step?
--
-- grain:  line_id, stage
-- reads:  invoice_line, currency
-- rule:   all lines of the customer in the billing period and currency, without
--         corrections: exact, rounded once, less what the lines come to
-- money:  exact; rounded once

with rounding as (
    select
        invoice_line.line_id,
        invoice_line.customer_id,
        invoice_line.billing_period,
        invoice_line.amount,
        invoice_line.currency,
        currency.rounding,
        coalesce(currency.decimals, 2) as decimals
    from invoice_line
    left join currency
        on invoice_line.currency = currency.currency
    where invoice_line.line_type = 'rounding'
),

invoice as (
    select
        rounding.line_id,
        rounding.billing_period,
        rounding.currency,
        rounding.rounding,
        rounding.decimals,
        count(*) as line_count,
        sum(invoice_line.amount_exact) as amount_exact,
        sum(invoice_line.amount) as line_amount,
        rounding.amount + sum(invoice_line.amount) as amount
    from rounding
    inner join invoice_line
        on rounding.customer_id = invoice_line.customer_id
        and rounding.billing_period = invoice_line.billing_period
        and rounding.currency = invoice_line.currency
        and invoice_line.line_type not in ('rounding', 'correction')
    group by
        rounding.line_id,
        rounding.billing_period,
        rounding.currency,
        rounding.rounding,
        rounding.decimals,
        rounding.amount
)

select
    invoice.line_id,
    invoice.billing_period,
    invoice.currency,
    1 as stage,
    0 as place,
    'all lines, exact' as what,
    concat(
        invoice.line_count,
        ' lines, exactly ',
        number_text(invoice.amount_exact, invoice.decimals)
    ) as formula,
    invoice.amount_exact as amount,
    concat('lines of ', invoice.billing_period) as by_rule,
    'rounding_line' as made_by
from invoice

union all

select
    invoice.line_id,
    invoice.billing_period,
    invoice.currency,
    2 as stage,
    0 as place,
    'rounding' as what,
    concat(
        'exact ',
        number_text(invoice.amount_exact, invoice.decimals),
        ' -> ',
        number_text(invoice.amount, invoice.decimals),
        ' (',
        invoice.rounding,
        ' to ',
        invoice.decimals,
        ' places)'
    ) as formula,
    invoice.amount - invoice.amount_exact as amount,
    concat('currency ', invoice.currency) as by_rule,
    'rounding_line' as made_by
from invoice

union all

select
    invoice.line_id,
    invoice.billing_period,
    invoice.currency,
    3 as stage,
    0 as place,
    'less the lines' as what,
    concat(
        'less ',
        number_text(invoice.line_amount, invoice.decimals),
        ', each line rounded'
    ) as formula,
    -invoice.line_amount as amount,
    concat('lines of ', invoice.billing_period) as by_rule,
    'rounding_line' as made_by
from invoice
