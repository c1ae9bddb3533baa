-- amount_by_day: on which days was what is invoiced for a period used?
--
-- reads: usage_statement

select
    usage_statement.usage_type,
    cast(usage_statement.usage_start as date) as usage_date,
    usage_statement.currency,
    count(*) as records,
    sum(usage_statement.quantity) as quantity,
    sum(usage_statement.amount) as amount
from usage_statement
where
    usage_statement.billing_period = '2026-10'
    and usage_statement.usage_type is not null
group by
    usage_statement.usage_type,
    cast(usage_statement.usage_start as date),
    usage_statement.currency
order by
    usage_statement.usage_type,
    usage_date,
    usage_statement.currency
