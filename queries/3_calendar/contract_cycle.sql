-- contract_cycle: when do a contract's cycles begin and end, by its calendar?
--
-- grain:  contract_id, cycle_start
-- reads:  contract
-- rule:   counted from the anchor, in the contract's time zone; cut to the time
--         the contract is in force; up to the cycle that holds the run's as-of

with calendar as (
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
    calendar.contract_id,
    calendar.cycle['cycle_start'] as cycle_start,
    calendar.cycle['cycle_end'] as cycle_end,
    calendar.cycle['cycle_number'] as cycle_number,
    calendar.cycle['full_start'] as full_start,
    calendar.cycle['full_end'] as full_end,
    calendar.customer_id,
    calendar.currency,
    calendar.time_zone,
    calendar.cycle['billing_period'] as billing_period
from calendar
