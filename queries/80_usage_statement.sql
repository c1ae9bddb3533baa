-- usage_statement: which usage is behind a line, and what share of it?
--
-- grain:  line_id, landing_sequence, part_number
-- reads:  invoice_line, guided_usage, suspense, price, usage_record
-- rule:   a line's amount is spread over its usage, in order of time, by
--         quantity or by the price the record carries; a line without usage is
--         one row
-- money:  each share is the rounded total so far less the one before, so that
--         the shares sum to the line

with weighted as (
    select
        invoice_line.line_id,
        guided_usage.landing_sequence,
        guided_usage.part_number,
        guided_usage.usage_start,
        guided_usage.quantity,
        case price.charge_model
            when 'record_price'
                then cast(
                    guided_usage.quantity * guided_usage.record_price
                    as decimal(38, 12)
                )
            when 'record_amount' then guided_usage.record_price
            else guided_usage.quantity
        end as weight,
        invoice_line.amount as line_amount
    from guided_usage
    left join price
        on guided_usage.product_id = price.product_id
        and guided_usage.usage_start >= price.valid_from
        and (
            price.valid_to is null
            or guided_usage.usage_start < price.valid_to
        )
    inner join invoice_line
        on guided_usage.contract_item_id = invoice_line.contract_item_id
        and guided_usage.cycle_start = invoice_line.cycle_start
        and coalesce(price.price_id, 'none') = invoice_line.price_id
    where not exists (
        select 1
        from suspense
        where suspense.landing_sequence = guided_usage.landing_sequence
    )
),

running as (
    select
        weighted.line_id,
        weighted.landing_sequence,
        weighted.part_number,
        weighted.quantity,
        weighted.line_amount,
        weighted.weight,
        row_number() over in_time_order as row_in_line,
        sum(weighted.weight) over in_time_order as weight_until,
        sum(weighted.weight) over (partition by weighted.line_id)
            as line_weight
    from weighted
    window in_time_order as (
        partition by weighted.line_id
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
        running.landing_sequence,
        running.part_number,
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
    shared.landing_sequence,
    shared.part_number,
    usage_record.source,
    usage_record.transaction_id,
    usage_record.usage_type,
    usage_record.usage_start,
    usage_record.usage_end,
    shared.quantity,
    cast(shared.amount as decimal(38, 12)) as amount
from shared
inner join usage_record
    on shared.landing_sequence = usage_record.landing_sequence

union all

select
    invoice_line.line_id,
    cast(null as bigint) as landing_sequence,
    cast(null as integer) as part_number,
    cast(null as varchar) as source,
    cast(null as varchar) as transaction_id,
    cast(null as varchar) as usage_type,
    invoice_line.cycle_start as usage_start,
    invoice_line.cycle_end as usage_end,
    invoice_line.quantity,
    invoice_line.amount
from invoice_line
where invoice_line.record_count = 0
