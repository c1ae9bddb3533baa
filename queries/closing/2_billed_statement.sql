-- billed_statement: the itemized usage of the period that closes.
--
-- reads:  usage_statement

select
    usage_statement.line_id,
    usage_statement.customer_id,
    usage_statement.contract_id,
    usage_statement.contract_item_id,
    usage_statement.landing_sequence,
    usage_statement.part_number,
    usage_statement.source,
    usage_statement.transaction_id,
    usage_statement.usage_type,
    usage_statement.usage_start,
    usage_statement.usage_end,
    usage_statement.quantity,
    usage_statement.unit,
    usage_statement.amount,
    usage_statement.currency,
    usage_statement.billing_period
from usage_statement
