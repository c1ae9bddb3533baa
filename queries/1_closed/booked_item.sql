-- booked_item: which items, cycles and prices stand in closed books?
--
-- grain:  contract_item_id, cycle_start, price_id, billing_period
-- reads:  billed_item, rerating
-- rule:   as they were when the period closed, or was last let rate again

select
    billed_item.contract_item_id,
    billed_item.cycle_start,
    billed_item.price_id,
    billed_item.cycle_end,
    billed_item.charge_from,
    billed_item.charge_to,
    billed_item.billing_period
from billed_item
where not exists (
    select 1
    from rerating
    where
        rerating.billing_period = billed_item.billing_period
        and rerating.rerate_number > billed_item.rerate_number
)
