-- open_landing: which landings have closed books not reached?
--
-- grain:  landing_id
-- reads:  landing, booked_landing

select distinct landing.landing_id
from landing
where not exists (
    select 1
    from booked_landing
    where booked_landing.landing_id = landing.landing_id
)
