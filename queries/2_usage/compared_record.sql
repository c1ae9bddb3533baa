-- compared_record: which records may have come twice, by one hash of their identity?
--
-- grain:  landing_sequence
-- reads:  unsettled_record, booked_usage, left_usage, usage_record
-- rule:   what has the hash of a record that stands in no books: few, and only those
--         are compared in full
--
-- Those of the books are found by the hash that the books have, and read from their
-- copies; files of closed months are opened only for new ones.

with booked_twin as (
    select distinct
        booked_usage.landing_sequence,
        booked_usage.id_hash
    from unsettled_record
    inner join booked_usage
        on unsettled_record.id_hash = booked_usage.id_hash
),

repeated as (
    select unsettled_record.id_hash
    from unsettled_record
    group by unsettled_record.id_hash
    having count(*) > 1

    union

    select booked_twin.id_hash
    from booked_twin
),

without_copy as (
    select booked_twin.landing_sequence
    from booked_twin
    where not exists (
        select 1
        from left_usage
        where left_usage.landing_sequence = booked_twin.landing_sequence
    )
)

select
    unsettled_record.landing_sequence,
    unsettled_record.landing_id,
    unsettled_record.source,
    unsettled_record.transaction_id,
    unsettled_record.usage_type,
    unsettled_record.usage_start,
    unsettled_record.quantity,
    unsettled_record.unit,
    true as is_open,
    unsettled_record.fields
from repeated -- the few come first: a join keeps its first side in memory
inner join unsettled_record
    on repeated.id_hash = unsettled_record.id_hash

union all

select
    left_usage.landing_sequence,
    left_usage.landing_id,
    left_usage.source,
    left_usage.transaction_id,
    left_usage.usage_type,
    left_usage.usage_start,
    left_usage.quantity,
    left_usage.unit,
    false as is_open,
    left_usage.fields
from booked_twin
inner join left_usage
    on booked_twin.landing_sequence = left_usage.landing_sequence

union all

select
    usage_record.landing_sequence,
    usage_record.landing_id,
    usage_record.source,
    usage_record.transaction_id,
    usage_record.usage_type,
    usage_record.usage_start,
    usage_record.quantity,
    usage_record.unit,
    false as is_open,
    usage_record.fields
from without_copy
inner join usage_record
    on without_copy.landing_sequence = usage_record.landing_sequence
