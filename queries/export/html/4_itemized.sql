-- itemized: the usage behind the lines as a page shows it; it sums to each
-- line exactly.
--
-- grain:  line_id, usage_day, own_sequence, own_part
-- reads:  shown_usage
-- rule:   each record of a line has a row, unless there are more than 100:
--         these are added up by day; the usage statement has each of them

with shown as (
    select
        shown_usage.customer_id,
        shown_usage.billing_period,
        shown_usage.line_id,
        shown_usage.local_start,
        shown_usage.transaction_id,
        shown_usage.usage_type,
        shown_usage.description,
        shown_usage.quantity,
        shown_usage.unit,
        shown_usage.amount,
        shown_usage.currency,
        shown_usage.record_count > 100 as is_by_day,
        case
            when shown_usage.record_count <= 100
                then shown_usage.landing_sequence
        end as own_sequence,
        case
            when shown_usage.record_count <= 100 then shown_usage.part_number
        end as own_part
    from shown_usage
    where shown_usage.transaction_id is not null
)

select
    shown.customer_id,
    shown.billing_period,
    shown.line_id,
    cast(shown.local_start as date) as usage_day,
    min(shown.local_start) as local_start,
    shown.own_sequence,
    shown.own_part,
    shown.is_by_day,
    shown.description,
    min(shown.transaction_id) as transaction_id,
    min(shown.usage_type) as usage_type,
    count(*) as records,
    sum(shown.quantity) as quantity,
    shown.unit,
    sum(shown.amount) as amount,
    shown.currency
from shown
group by
    shown.customer_id,
    shown.billing_period,
    shown.line_id,
    cast(shown.local_start as date),
    shown.own_sequence,
    shown.own_part,
    shown.is_by_day,
    shown.description,
    shown.unit,
    shown.currency
