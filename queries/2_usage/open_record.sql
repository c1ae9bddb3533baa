-- open_record: which records of a landing that closed books have reached are not in
-- the books?
--
-- grain:  landing_sequence
-- reads:  booked_landing, usage_record, booked_usage
-- rule:   made for all at once and of sequences alone, so that nobody has to look for
--         a record in all books again

select usage_record.landing_sequence
from booked_landing
inner join usage_record
    on booked_landing.landing_id = landing_of(usage_record.landing_sequence)
where not exists (
    select 1
    from booked_usage
    where booked_usage.landing_sequence = usage_record.landing_sequence
)
