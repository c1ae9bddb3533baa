-- usage_statement: the usage behind the lines; it sums to each line exactly.
--
-- grain:  line_id, usage_start, transaction_id
-- reads:  statement_row
-- totals: by currency
-- rule:   a row is a record, or adds up record_count of them, as its item says

select
    statement_row.customer_id,
    statement_row.billing_period,
    statement_row.line_id,
    statement_row.usage_start,
    statement_row.usage_end,
    statement_row.source,
    statement_row.transaction_id,
    statement_row.local_start,
    statement_row.usage_type,
    statement_row.description,
    statement_row.quantity,
    statement_row.unit,
    statement_row.amount,
    statement_row.currency,
    statement_row.record_count
from statement_row
