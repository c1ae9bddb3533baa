-- open_record: which records of a landing that closed books have reached are not in
-- the books?
--
-- grain:  landing_sequence
-- reads:  left_record, reopened_usage, booked_usage, left_usage
-- rule:   what closings left out and none took in since, and what was taken out to
--         be rated again

with open_now as (
    select left_record.landing_sequence
    from left_record
    where
        left_record.is_left
        and not exists (
            select 1
            from left_record as taken
            where
                taken.landing_sequence = left_record.landing_sequence
                and not taken.is_left
        )

    union

    select reopened_usage.landing_sequence
    from reopened_usage
    where not exists (
        select 1
        from booked_usage
        where booked_usage.landing_sequence = reopened_usage.landing_sequence
    )
)

select
    open_now.landing_sequence,
    left_usage.landing_sequence is not null as is_copied
from open_now
left join left_usage
    on open_now.landing_sequence = left_usage.landing_sequence
