-- line: the line, and what it comes to
select
    invoice_line.line_id,
    invoice_line.description,
    invoice_line.customer_id,
    invoice_line.contract_id,
    invoice_line.billing_period,
    case
        when closed_period.billing_period is not null then 'closed'
        else 'draft'
    end as state,
    replace(
        to_char(
            local_time(
                coalesce(priced_cycle.charge_from, invoice_line.cycle_start),
                contract.time_zone
            ),
            '%Y-%m-%d %H:%M'
        ),
        ' 00:00',
        ''
    ) as service_from,
    replace(
        to_char(
            local_time(
                coalesce(priced_cycle.charge_to, invoice_line.cycle_end),
                contract.time_zone
            ),
            '%Y-%m-%d %H:%M'
        ),
        ' 00:00',
        ''
    ) as until_before,
    invoice_line.amount,
    invoice_line.currency,
    invoice_line.corrected_period,
    invoice_line.corrected_line_id
from invoice_line
left join closed_period
    on invoice_line.billing_period = closed_period.billing_period
left join contract
    on invoice_line.contract_id = contract.contract_id
left join priced_cycle
    on invoice_line.contract_item_id = priced_cycle.contract_item_id
    and invoice_line.cycle_start = priced_cycle.cycle_start
    and invoice_line.price_id = priced_cycle.price_id
    and coalesce(invoice_line.corrected_period, invoice_line.billing_period)
    = priced_cycle.billing_period
where invoice_line.line_id = $line_id
