-- line: the lines that it is on, with its share of each
select
    usage_statement.line_id,
    usage_statement.billing_period,
    case
        when closed_period.billing_period is not null then 'closed'
        else 'draft'
    end as state,
    invoice_line.description,
    usage_statement.quantity,
    invoice_line.unit,
    usage_statement.amount,
    invoice_line.amount as line_amount,
    invoice_line.currency
from usage_statement
inner join invoice_line
    on usage_statement.line_id = invoice_line.line_id
    and usage_statement.billing_period = invoice_line.billing_period
left join closed_period
    on usage_statement.billing_period = closed_period.billing_period
where
    usage_statement.transaction_id = $transaction_id
    and usage_statement.source
    = coalesce(cast($source as varchar), usage_statement.source)
order by
    usage_statement.line_id
