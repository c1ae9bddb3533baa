-- statement_row: the rows of a statement: records, or what adds them up.
--
-- grain:  line_id, usage_start, transaction_id
-- reads:  shown_usage, grouped_line
-- rule:   a row is a record, the records of a local day, or all of the line, as
--         its item declares; a line without usage is one row
-- money:  sums of exact shares, so the rows sum to the line as the records do

select
    shown_usage.customer_id,
    shown_usage.billing_period,
    shown_usage.line_id,
    shown_usage.usage_start,
    shown_usage.usage_end,
    shown_usage.source,
    shown_usage.transaction_id,
    shown_usage.local_start,
    shown_usage.usage_type,
    shown_usage.description,
    cast(
        case when shown_usage.transaction_id is null then 0 else 1 end as bigint
    ) as record_count,
    shown_usage.quantity,
    shown_usage.unit,
    shown_usage.amount,
    shown_usage.currency
from shown_usage
where
    shown_usage.transaction_id is null
    or not exists (
        select 1
        from grouped_line
        where
            grouped_line.line_id = shown_usage.line_id
            and grouped_line.billing_period = shown_usage.billing_period
    )

union all

select
    shown_usage.customer_id,
    shown_usage.billing_period,
    shown_usage.line_id,
    min(shown_usage.usage_start) as usage_start,
    max(shown_usage.usage_end) as usage_end,
    cast(null as varchar) as source,
    cast(null as varchar) as transaction_id,
    min(shown_usage.local_start) as local_start,
    min(shown_usage.usage_type) as usage_type,
    shown_usage.description,
    count(*) as record_count,
    sum(shown_usage.quantity) as quantity,
    shown_usage.unit,
    sum(shown_usage.amount) as amount,
    shown_usage.currency
from grouped_line
inner join shown_usage
    on grouped_line.line_id = shown_usage.line_id
    and grouped_line.billing_period = shown_usage.billing_period
where shown_usage.transaction_id is not null
group by
    shown_usage.customer_id,
    shown_usage.billing_period,
    shown_usage.line_id,
    case grouped_line.statement_grain
        when 'day' then cast(shown_usage.local_start as date)
    end,
    shown_usage.description,
    shown_usage.unit,
    shown_usage.currency
