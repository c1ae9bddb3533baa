-- rounding_step: how does the exact amount of a line become the one on the invoice?
--
-- grain:  line_id
-- reads:  invoice_line, currency
-- money:  as the currency declares

select
    invoice_line.line_id,
    invoice_line.billing_period,
    invoice_line.currency,
    9 as stage,
    0 as place,
    'rounding' as what,
    concat(
        'exact ',
        number_text(
            invoice_line.amount_exact, coalesce(currency.decimals, 2)
        ),
        ' -> ',
        number_text(invoice_line.amount, coalesce(currency.decimals, 2)),
        case
            when
                round_money(
                    invoice_line.amount_exact,
                    currency.decimals,
                    currency.rounding
                ) = invoice_line.amount
                then concat(
                    ' (',
                    currency.rounding,
                    ' to ',
                    currency.decimals,
                    ' places)'
                )
            else ''
        end
    ) as formula,
    invoice_line.amount - invoice_line.amount_exact as amount,
    concat('currency ', invoice_line.currency) as by_rule,
    case
        when invoice_line.line_type = 'credit' then 'credit_balance'
        when invoice_line.line_type <> 'minimum_fee'
            then 'item_line'
        when invoice_line.contract_item_id is null
            then 'minimum_line'
        else 'price_minimum'
    end as made_by
from invoice_line
left join currency
    on invoice_line.currency = currency.currency
where
    invoice_line.line_type not in ('credit', 'rounding', 'correction')
    or (
        invoice_line.line_type = 'credit'
        and invoice_line.amount <> invoice_line.amount_exact
    )
