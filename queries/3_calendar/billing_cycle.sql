-- billing_cycle: which cycles of a contract count?
--
-- grain:  contract_id, cycle_start
-- reads:  cycle_conflict
-- rule:   those of its calendar that no closed one stands in the way of; for the
--         others, the check closed_cycle_change parks their customer until the closed
--         month is rated again

select
    cycle_conflict.contract_id,
    cycle_conflict.cycle_start,
    cycle_conflict.cycle_end,
    cycle_conflict.cycle_number,
    cycle_conflict.full_start,
    cycle_conflict.full_end,
    cycle_conflict.customer_id,
    cycle_conflict.currency,
    cycle_conflict.time_zone,
    cycle_conflict.billing_period
from cycle_conflict
where cycle_conflict.closed_start is null
