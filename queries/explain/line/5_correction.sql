-- correction: what corrects it
select
    invoice_line.billing_period,
    invoice_line.line_id,
    case
        when closed_period.billing_period is not null then 'closed'
        else 'draft'
    end as state,
    invoice_line.quantity,
    invoice_line.amount,
    invoice_line.currency
from invoice_line
left join closed_period
    on invoice_line.billing_period = closed_period.billing_period
where invoice_line.corrected_line_id = $line_id
order by
    invoice_line.billing_period,
    invoice_line.line_id
