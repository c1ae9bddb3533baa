-- closed_cycle_change: a cycle that is billed in closed books stays as it was; where
-- the contract's calendar is another now, its month has to be rated again, or the
-- contract ends and another begins.

select
    contract_cycle.customer_id,
    contract_cycle.contract_id,
    contract_cycle.cycle_start,
    contract_cycle.cycle_end,
    contract_cycle.billing_period,
    closed_cycle.cycle_start as closed_start,
    closed_cycle.cycle_end as closed_end,
    closed_cycle.billing_period as closed_period
from contract_cycle
inner join closed_cycle
    on contract_cycle.contract_id = closed_cycle.contract_id
    and contract_cycle.billing_period <> closed_cycle.billing_period
    and (
        (
            closed_cycle.cycle_start >= contract_cycle.cycle_start
            and closed_cycle.cycle_end <= contract_cycle.cycle_end
        )
        or (
            closed_cycle.cycle_start <= contract_cycle.cycle_start
            and closed_cycle.cycle_end >= contract_cycle.cycle_end
        )
    )
