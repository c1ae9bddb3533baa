-- cycle_conflict: which closed cycle stands in the way of one of the calendar?
--
-- grain:  contract_id, cycle_start, closed_start
-- reads:  contract_cycle, closed_cycle
-- rule:   one of another month that lies within it, or that it lies within, as when
--         the calendar changed; null where there is none

select
    contract_cycle.contract_id,
    contract_cycle.cycle_start,
    contract_cycle.cycle_end,
    contract_cycle.cycle_number,
    contract_cycle.full_start,
    contract_cycle.full_end,
    closed_cycle.cycle_start as closed_start,
    closed_cycle.cycle_end as closed_end,
    contract_cycle.customer_id,
    contract_cycle.currency,
    contract_cycle.time_zone,
    contract_cycle.billing_period,
    closed_cycle.billing_period as closed_period
from contract_cycle
left join closed_cycle
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
