-- booked_price: in which closed period was a price of an item and cycle billed?
--
-- grain:  contract_item_id, cycle_start, price_id
-- reads:  billed_line, rerating
-- rule:   not one that was rated again: that may have taken its fee back

select
    billed_line.contract_item_id,
    billed_line.cycle_start,
    billed_line.price_id,
    min(billed_line.billing_period) as billing_period
from billed_line
where
    billed_line.corrected_period is null
    and billed_line.contract_item_id is not null
    and not exists (
        select 1
        from rerating
        where rerating.billing_period = billed_line.billing_period
    )
group by
    billed_line.contract_item_id,
    billed_line.cycle_start,
    billed_line.price_id
