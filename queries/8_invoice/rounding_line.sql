-- rounding_line: what makes an invoice its exact sum, rounded once?
--
-- grain:  customer_id, currency, billing_period
-- reads:  currency, cycle_line, credit_balance
-- rule:   only where a currency declares it; an invoice is what a customer owes in
--         it for a billing period; corrections are left out, since with that of
--         this line they are the difference of two invoices; it stands with the
--         first contract of the invoice
-- money:  the exact sum, rounded once, less the sum of the rounded lines

with line as (
    select
        cycle_line.customer_id,
        cycle_line.contract_id,
        cycle_line.cycle_start,
        cycle_line.cycle_end,
        cycle_line.amount_exact,
        cycle_line.amount,
        cycle_line.currency,
        cycle_line.billing_period
    from cycle_line

    union all

    select
        credit_balance.customer_id,
        credit_balance.contract_id,
        credit_balance.cycle_start,
        credit_balance.cycle_end,
        -credit_balance.used_amount as amount_exact,
        -credit_balance.used_amount_rounded as amount,
        credit_balance.currency,
        credit_balance.billing_period
    from credit_balance
    where credit_balance.used_amount > 0
),

invoice as (
    select
        line.customer_id,
        min(line.contract_id) as contract_id,
        min(line.cycle_start) as cycle_start,
        max(line.cycle_end) as cycle_end,
        round_money(
            sum(line.amount_exact), currency.decimals, currency.rounding
        ) - sum(line.amount) as amount,
        line.currency,
        line.billing_period
    from currency
    inner join line
        on currency.currency = line.currency
    where currency.rounding_level = 'invoice'
    group by
        line.customer_id,
        line.currency,
        line.billing_period,
        currency.decimals,
        currency.rounding
)

select
    invoice.customer_id,
    invoice.contract_id,
    invoice.cycle_start,
    invoice.cycle_end,
    cast(invoice.amount as decimal(38, 12)) as amount,
    invoice.currency,
    invoice.billing_period
from invoice
where invoice.amount <> 0
