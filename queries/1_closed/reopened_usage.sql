-- reopened_usage: which usage of closed books is guided anew, since a person let
-- its period be rated again by other rules?
--
-- grain:  a part of a record that stood in the period, landing_sequence, closed_in
-- reads:  billed_usage, rerating
-- engine: any, so `meterhouse views` prints it
-- rule:   with it go all parts of its record, also those of other periods

select
    billed_usage.landing_sequence,
    billed_usage.closed_in,
    billed_usage.billing_period
from billed_usage
inner join rerating
    on billed_usage.billing_period = rerating.billing_period
    and billed_usage.closed_in <= rerating.last_closed
