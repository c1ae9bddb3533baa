-- billing_cycle: when do a contract's cycles begin and end?
--
-- grain:  contract_id, cycle_start
-- reads:  contract
-- rule:   counted from the anchor, in the contract's time zone; cut to the time
--         the contract is in force; up to the cycle that holds the run's as-of

with contract_cycle as (
    select
        contract.contract_id,
        contract.customer_id,
        contract.currency,
        contract.time_zone,
        unnest(
            billing_cycles(
                contract.cycle_interval,
                contract.cycle_anchor,
                contract.anchor_time,
                contract.billing_day,
                contract.first_cycle,
                contract.time_zone,
                contract.valid_from,
                contract.valid_to,
                $as_of
            )
        ) as cycle
    from contract
)

select
    contract_cycle.contract_id,
    contract_cycle.cycle['cycle_start'] as cycle_start,
    contract_cycle.cycle['cycle_end'] as cycle_end,
    contract_cycle.cycle['cycle_number'] as cycle_number,
    contract_cycle.cycle['full_start'] as full_start,
    contract_cycle.cycle['full_end'] as full_end,
    contract_cycle.customer_id,
    contract_cycle.currency,
    contract_cycle.time_zone,
    contract_cycle.cycle['billing_period'] as billing_period
from contract_cycle
