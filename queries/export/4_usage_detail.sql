-- usage_detail: the records beneath the rows of the statement that add them up.
--
-- grain:  line_id, landing_sequence, part_number
-- reads:  shown_usage, grouped_line
-- totals: by currency
-- rule:   only of items whose statement is by day or by line; it sums to each
--         of their lines exactly, too

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
from grouped_line
inner join shown_usage
    on grouped_line.line_id = shown_usage.line_id
    and grouped_line.billing_period = shown_usage.billing_period
where shown_usage.transaction_id is not null
