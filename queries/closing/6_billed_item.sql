-- billed_item: the items, cycles and prices that the books of a period have.
--
-- grain:  contract_item_id, cycle_start, price_id, billing_period, rerate_number
-- reads:  priced_cycle, rerating
-- rule:   written as the period closes, and again when a person lets it be rated by
--         other rules

with last_rerating as (
    select
        rerating.billing_period,
        max(rerating.rerate_number) as rerate_number
    from rerating
    group by rerating.billing_period
)

select
    priced_cycle.contract_item_id,
    priced_cycle.cycle_start,
    priced_cycle.price_id,
    priced_cycle.cycle_end,
    priced_cycle.charge_from,
    priced_cycle.charge_to,
    coalesce(last_rerating.rerate_number, 0) as rerate_number,
    priced_cycle.billing_period
from priced_cycle
left join last_rerating
    on priced_cycle.billing_period = last_rerating.billing_period
