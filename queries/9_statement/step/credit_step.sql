-- credit_step: which grants pay a credit?
--
-- grain:  line_id, by_rule, what
-- reads:  invoice_line, credit_balance, currency

select
    invoice_line.line_id,
    invoice_line.billing_period,
    invoice_line.currency,
    1 as stage,
    0 as place,
    concat('credit ', credit_balance.grant_id) as what,
    concat(
        'pays ',
        number_text(
            credit_balance.used_amount, coalesce(currency.decimals, 2)
        ),
        ' of lines of ',
        number_text(
            credit_balance.line_amount, coalesce(currency.decimals, 2)
        ),
        ', ',
        number_text(credit_balance.balance, coalesce(currency.decimals, 2)),
        ' left'
    ) as formula,
    -credit_balance.used_amount as amount,
    concat('credits ', credit_balance.quota_id) as by_rule,
    'credit_balance' as made_by
from invoice_line
inner join credit_balance
    on invoice_line.line_id = credit_balance.line_id
    and invoice_line.customer_id = credit_balance.customer_id
left join currency
    on invoice_line.currency = currency.currency
where invoice_line.line_type = 'credit' and credit_balance.used_amount <> 0
