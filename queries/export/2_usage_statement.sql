-- usage_statement: the usage behind the lines; it sums to each line exactly.
--
-- grain:  line_id, landing_sequence, part_number
-- reads:  shown_usage
-- totals: by currency

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
    shown_usage.quantity,
    shown_usage.unit,
    shown_usage.amount,
    shown_usage.currency
from shown_usage
