-- record_total_charge: what do the records cost that are priced one by one?
--
-- grain:  contract_item_id, cycle_start, price_id, group_key, tier_number
-- reads:  priced_quantity, known_model
-- rule:   `5_metering` has priced each record, and added them up

select
    priced_quantity.contract_item_id,
    priced_quantity.cycle_start,
    priced_quantity.price_id,
    priced_quantity.group_key,
    cast(0 as integer) as tier_number,
    priced_quantity.quantity,
    cast(null as decimal(38, 12)) as block_count,
    cast(null as decimal(38, 12)) as unit_amount,
    cast(0 as decimal(38, 12)) as flat_amount,
    priced_quantity.record_amount as amount,
    priced_quantity.billing_period
from priced_quantity
inner join known_model
    on priced_quantity.charge_model = known_model.charge_model
where known_model.prices in ('record', 'detail')
