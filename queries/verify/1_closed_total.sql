-- closed_total: closings whose kept totals are not those of the usage in the books
with closed_record as (
    select distinct
        billed_usage.landing_sequence,
        billed_usage.usage_type,
        billed_usage.unit,
        billed_usage.record_quantity,
        billed_usage.closed_in
    from billed_usage
),

counted as (
    select
        closed_record.closed_in,
        landing_of(closed_record.landing_sequence) as landing_id,
        closed_record.usage_type,
        closed_record.unit,
        cast(1 as bigint) as record_count,
        closed_record.record_quantity as quantity,
        cast(row_hash(closed_record.landing_sequence) as decimal(38, 0)) as id_hash
    from closed_record

    union all

    select
        closed_total.closed_in,
        closed_total.landing_id,
        closed_total.usage_type,
        closed_total.unit,
        -closed_total.record_count as record_count,
        -closed_total.quantity as quantity,
        -closed_total.id_hash as id_hash
    from closed_total
)

select
    counted.closed_in,
    counted.landing_id,
    counted.usage_type,
    counted.unit,
    sum(counted.record_count) as records_missing,
    sum(counted.quantity) as quantity_missing,
    sum(counted.id_hash) as id_hash_difference
from counted
group by
    counted.closed_in,
    counted.landing_id,
    counted.usage_type,
    counted.unit
having
    sum(counted.record_count) <> 0
    or sum(counted.quantity) <> 0
    or sum(counted.id_hash) <> 0
