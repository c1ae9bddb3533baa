-- twin_record: which records may have come twice, by one hash of their identity?
--
-- grain:  landing_sequence
-- reads:  unsettled_record, booked_twin, left_usage
-- rule:   what has the hash of a record that stands in no books: few, and only those
--         are compared in full
-- engine: a table, so that who reads it knows that it is small: a join keeps the
--         smaller side in memory

with repeated as (
    select unsettled_record.id_hash
    from unsettled_record
    group by unsettled_record.id_hash
    having count(*) > 1

    union

    select booked_twin.id_hash
    from booked_twin
),

twin as (
    select
        unsettled_record.landing_sequence,
        unsettled_record.id_hash,
        true as is_open
    from repeated
    inner join unsettled_record
        on repeated.id_hash = unsettled_record.id_hash

    union all

    select
        booked_twin.landing_sequence,
        booked_twin.id_hash,
        false as is_open
    from booked_twin
)

select
    twin.landing_sequence,
    twin.id_hash,
    twin.is_open,
    left_usage.landing_sequence is not null as is_copied
from twin
left join left_usage
    on twin.landing_sequence = left_usage.landing_sequence
