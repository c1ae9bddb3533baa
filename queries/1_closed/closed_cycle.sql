-- closed_cycle: which cycles of a contract are billed in closed books?
--
-- grain:  contract_id, cycle_start, cycle_end
-- reads:  billed_line, rerating
-- rule:   not those that a person let be rated again by other rules; a fee that is
--         billed in advance stands for a cycle that is yet to end

select distinct
    billed_line.contract_id,
    billed_line.cycle_start,
    billed_line.cycle_end,
    local_period(
        billed_line.cycle_end - interval '1 microsecond',
        billed_line.time_zone
    ) as billing_period
from billed_line
where
    billed_line.corrected_period is null
    and billed_line.contract_id is not null
    and not exists (
        select 1
        from rerating
        where rerating.billing_period = billed_line.billing_period
    )
