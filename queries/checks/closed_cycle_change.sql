-- closed_cycle_change: a cycle that is billed in closed books stays as it was; where
-- the contract's calendar is another now, its month has to be rated again, or the
-- contract ends and another begins.

select
    cycle_conflict.customer_id,
    cycle_conflict.contract_id,
    cycle_conflict.cycle_start,
    cycle_conflict.cycle_end,
    cycle_conflict.billing_period,
    cycle_conflict.closed_start,
    cycle_conflict.closed_end,
    cycle_conflict.closed_period
from cycle_conflict
where cycle_conflict.closed_start is not null
