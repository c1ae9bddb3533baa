-- billed_item: the items, cycles and prices that the books of a period have.
--
-- grain:  contract_item_id, cycle_start, price_id, billing_period, rerate_number
-- reads:  item_cycle, rerating
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
    item_cycle.contract_item_id,
    item_cycle.cycle_start,
    item_cycle.price_id,
    item_cycle.cycle_end,
    item_cycle.charge_from,
    item_cycle.charge_to,
    coalesce(last_rerating.rerate_number, 0) as rerate_number,
    item_cycle.billing_period
from item_cycle
left join last_rerating
    on item_cycle.billing_period = last_rerating.billing_period
