-- booked_landing: of which landings does usage stand in closed books?
--
-- grain:  landing_id
-- reads:  closed_total

select distinct closed_total.landing_id
from closed_total
