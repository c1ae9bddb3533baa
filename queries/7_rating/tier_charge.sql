-- tier_charge: what does each quantity cost by the charge model of its price?
--
-- grain:  contract_item_id, cycle_start, price_id, group_key, tier_number
-- reads:  by_model
-- rule:   a price has one model, and each model a query in `by_model`, or in `by_unit`
--         where it is units times a price; an amount of more than 20 digits before
--         the point is not a charge, and the check tier_quantity parks its customer: a
--         sum has 26, so that a million has room
-- money:  unrounded, decimal(38, 12)

select
    by_model.contract_item_id,
    by_model.cycle_start,
    by_model.price_id,
    by_model.group_key,
    by_model.tier_number,
    by_model.quantity,
    by_model.block_count,
    by_model.unit_amount,
    by_model.flat_amount,
    by_model.amount,
    by_model.billing_period
from by_model
where abs(by_model.amount) < 100000000000000000000
