-- usage_statement: which usage is behind a line, and what share of it?
--
-- grain:  line_id, landing_sequence, part_number
-- reads:  line_share, usage_record, invoice_line, closed_period, billed_statement
-- rule:   a line without usage is one row; a closed period's statement is kept
-- money:  the shares sum to the line

select
    line_share.line_id,
    line_share.customer_id,
    line_share.contract_id,
    line_share.contract_item_id,
    line_share.landing_sequence,
    line_share.part_number,
    usage_record.source,
    usage_record.transaction_id,
    usage_record.usage_type,
    case
        when line_share.part_end > line_share.usage_start then line_share.usage_start
        else usage_record.usage_start
    end as usage_start,
    case
        when line_share.part_end > line_share.usage_start then line_share.part_end
        else coalesce(usage_record.usage_end, usage_record.usage_start)
    end as usage_end,
    line_share.quantity,
    line_share.unit,
    cast(line_share.amount as decimal(38, 12)) as amount,
    line_share.currency,
    line_share.billing_period
from line_share
inner join usage_record
    on line_share.landing_sequence = usage_record.landing_sequence

union all

select
    invoice_line.line_id,
    invoice_line.customer_id,
    invoice_line.contract_id,
    invoice_line.contract_item_id,
    cast(null as bigint) as landing_sequence,
    cast(null as integer) as part_number,
    cast(null as varchar) as source,
    cast(null as varchar) as transaction_id,
    cast(null as varchar) as usage_type,
    invoice_line.cycle_start as usage_start,
    invoice_line.cycle_end as usage_end,
    invoice_line.quantity,
    invoice_line.unit,
    invoice_line.amount,
    invoice_line.currency,
    invoice_line.billing_period
from invoice_line
where
    (invoice_line.record_count = 0 or invoice_line.corrected_period is not null)
    and not exists (
        select 1
        from closed_period
        where closed_period.billing_period = invoice_line.billing_period
    )

union all

select
    billed_statement.line_id,
    billed_statement.customer_id,
    billed_statement.contract_id,
    billed_statement.contract_item_id,
    billed_statement.landing_sequence,
    billed_statement.part_number,
    billed_statement.source,
    billed_statement.transaction_id,
    billed_statement.usage_type,
    billed_statement.usage_start,
    billed_statement.usage_end,
    billed_statement.quantity,
    billed_statement.unit,
    billed_statement.amount,
    billed_statement.currency,
    billed_statement.billing_period
from billed_statement
