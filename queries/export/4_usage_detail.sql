-- usage_detail: the records beneath the rows of the statement that add them up.
--
-- grain:  line_id, landing_sequence, part_number
-- reads:  shown_usage, grouped_item
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
from grouped_item
inner join shown_usage
    on grouped_item.contract_item_id = shown_usage.contract_item_id
where shown_usage.transaction_id is not null
