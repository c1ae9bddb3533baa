-- closed_total: the records that the closing puts into the books, by landing, as the
-- first balance counts them.
--
-- grain:  landing_id, usage_type, unit, closed_in
-- reads:  billed_usage, closed_period
-- rule:   what stands in the books does not change, so it is counted once

with last_closed as (
    select max(closed_period.close_number) as close_number
    from closed_period
),

closed_record as (
    select distinct
        billed_usage.landing_sequence,
        billed_usage.usage_type,
        billed_usage.unit,
        billed_usage.record_quantity,
        billed_usage.closed_in
    from billed_usage
    inner join closed_period
        on billed_usage.closed_in = closed_period.billing_period
    inner join last_closed
        on closed_period.close_number = last_closed.close_number
)

select
    landing_of(closed_record.landing_sequence) as landing_id,
    closed_record.usage_type,
    closed_record.unit,
    count(*) as record_count,
    sum(closed_record.record_quantity) as quantity,
    sum(cast(row_hash(closed_record.landing_sequence) as decimal(38, 0)))
        as id_hash,
    closed_record.closed_in
from closed_record
group by
    landing_of(closed_record.landing_sequence),
    closed_record.usage_type,
    closed_record.unit,
    closed_record.closed_in
