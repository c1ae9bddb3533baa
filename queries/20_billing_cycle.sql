-- billing_cycle: which cycles of a contract count?
--
-- grain:  contract_id, cycle_start
-- reads:  contract_cycle, closed_cycle
-- rule:   those of its calendar; where that changed, none that holds a closed one of
--         another month, or lies within it: the check closed_cycle_change parks its
--         customer until the closed month is rated again

select
    contract_cycle.contract_id,
    contract_cycle.cycle_start,
    contract_cycle.cycle_end,
    contract_cycle.cycle_number,
    contract_cycle.full_start,
    contract_cycle.full_end,
    contract_cycle.customer_id,
    contract_cycle.currency,
    contract_cycle.time_zone,
    contract_cycle.billing_period
from contract_cycle
where not exists (
    select 1
    from closed_cycle
    where
        closed_cycle.contract_id = contract_cycle.contract_id
        and closed_cycle.billing_period <> contract_cycle.billing_period
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
)
