-- record: the records behind it: the first 20, and how many more
with behind as (
    select
        usage_statement.source,
        usage_statement.transaction_id,
        usage_statement.usage_start,
        usage_statement.quantity,
        usage_statement.amount,
        row_number() over (
            order by
                usage_statement.usage_start,
                usage_statement.landing_sequence,
                usage_statement.part_number
        ) as record_number
    from usage_statement
    where
        usage_statement.line_id = $line_id
        and usage_statement.landing_sequence is not null
),

shown as (
    select
        behind.record_number,
        behind.source,
        behind.transaction_id,
        behind.usage_start,
        behind.quantity,
        behind.amount
    from behind
    where behind.record_number <= 20

    union all

    select
        cast(21 as bigint) as record_number,
        '' as source,
        concat('and ', number_text(count(*), 0), ' more') as transaction_id,
        cast(null as timestamp with time zone) as usage_start,
        sum(behind.quantity) as quantity,
        sum(behind.amount) as amount
    from behind
    where behind.record_number > 20
    having count(*) > 0
)

select
    shown.source,
    shown.transaction_id,
    shown.usage_start,
    shown.quantity,
    shown.amount
from shown
order by shown.record_number
