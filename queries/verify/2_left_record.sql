-- left_record: which records of landings that closed books have reached are in the
-- books or not, other than closings noted?
with open_in_books as (
    select usage_record.landing_sequence
    from booked_landing
    inner join usage_record
        on booked_landing.landing_id = usage_record.landing_id
    where not exists (
        select 1
        from booked_usage
        where booked_usage.landing_sequence = usage_record.landing_sequence
    )
)

select
    coalesce(open_in_books.landing_sequence, open_record.landing_sequence)
        as landing_sequence,
    open_in_books.landing_sequence is not null as is_open,
    open_record.landing_sequence is not null as is_noted
from open_in_books
full join open_record
    on open_in_books.landing_sequence = open_record.landing_sequence
where
    open_in_books.landing_sequence is null
    or open_record.landing_sequence is null
