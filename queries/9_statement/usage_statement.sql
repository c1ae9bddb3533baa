-- usage_statement: which usage is behind a line, and what share of it?
--
-- grain:  line_id, landing_sequence, part_number
-- reads:  invoice_line, priced_usage, record_detail, record_charge, usage_record,
--         closed_period, billed_statement
-- rule:   a line's amount is spread over its usage, in order of time, by
--         quantity, or by what each record costs by itself; a line without
--         usage is one row; period and customer are in each key, so that the
--         statement of some is made without the others; a closed period's is kept
-- money:  each share is the rounded total so far less the one before, so that
--         the shares sum to the line

with weighted as (
    select
        invoice_line.line_id,
        invoice_line.customer_id,
        invoice_line.contract_id,
        invoice_line.contract_item_id,
        invoice_line.unit,
        invoice_line.currency,
        invoice_line.billing_period,
        priced_usage.landing_sequence,
        priced_usage.part_number,
        priced_usage.usage_start,
        priced_usage.part_end,
        priced_usage.quantity,
        coalesce(
            record_charge.amount,
            priced_usage.record_amount,
            priced_usage.quantity
        ) as weight,
        invoice_line.amount as line_amount
    from priced_usage
    left join record_detail
        on priced_usage.landing_sequence = record_detail.landing_sequence
        and priced_usage.contract_item_id = record_detail.contract_item_id
        and priced_usage.part_number = record_detail.part_number
    left join record_charge
        on priced_usage.landing_sequence = record_charge.landing_sequence
        and priced_usage.contract_item_id = record_charge.contract_item_id
        and priced_usage.part_number = record_charge.part_number
    inner join invoice_line
        on priced_usage.contract_item_id = invoice_line.contract_item_id
        and priced_usage.cycle_start = invoice_line.cycle_start
        and priced_usage.price_id = invoice_line.price_id
        and coalesce(record_detail.group_key, '') = invoice_line.group_key
        and invoice_line.corrected_period is null
    where not exists (
        select 1
        from closed_period
        where closed_period.billing_period = invoice_line.billing_period
    )
),

running as (
    select
        weighted.line_id,
        weighted.customer_id,
        weighted.contract_id,
        weighted.contract_item_id,
        weighted.unit,
        weighted.currency,
        weighted.billing_period,
        weighted.landing_sequence,
        weighted.part_number,
        weighted.usage_start,
        weighted.part_end,
        weighted.quantity,
        weighted.line_amount,
        weighted.weight,
        row_number() over in_time_order as row_in_line,
        sum(weighted.weight) over in_time_order as weight_until,
        sum(weighted.weight) over (
            partition by
                weighted.line_id,
                weighted.billing_period,
                weighted.customer_id
        ) as line_weight
    from weighted
    window in_time_order as (
        partition by
            weighted.line_id,
            weighted.billing_period,
            weighted.customer_id
        order by
            weighted.usage_start,
            weighted.landing_sequence,
            weighted.part_number
        rows between unbounded preceding and current row
    )
),

shared as (
    select
        running.line_id,
        running.customer_id,
        running.contract_id,
        running.contract_item_id,
        running.unit,
        running.currency,
        running.billing_period,
        running.landing_sequence,
        running.part_number,
        running.usage_start,
        running.part_end,
        running.quantity,
        case
            when running.line_weight <> 0
                then prorate(
                    running.line_amount,
                    running.weight_until,
                    running.line_weight
                )
                - prorate(
                    running.line_amount,
                    running.weight_until - running.weight,
                    running.line_weight
                )
            when running.row_in_line = 1 then running.line_amount
            else 0
        end as amount
    from running
)

select
    shared.line_id,
    shared.customer_id,
    shared.contract_id,
    shared.contract_item_id,
    shared.landing_sequence,
    shared.part_number,
    usage_record.source,
    usage_record.transaction_id,
    usage_record.usage_type,
    case
        when shared.part_end > shared.usage_start then shared.usage_start
        else usage_record.usage_start
    end as usage_start,
    case
        when shared.part_end > shared.usage_start then shared.part_end
        else coalesce(usage_record.usage_end, usage_record.usage_start)
    end as usage_end,
    shared.quantity,
    shared.unit,
    cast(shared.amount as decimal(38, 12)) as amount,
    shared.currency,
    shared.billing_period
from shared
inner join usage_record
    on shared.landing_sequence = usage_record.landing_sequence

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
