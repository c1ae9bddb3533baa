-- record_total_charge: what do the records cost that are priced one by one?
--
-- grain:  contract_item_id, cycle_start, price_id, group_key
-- reads:  priced_quantity
-- rule:   `5_metering` has priced each record, and added them up

select
    priced_quantity.contract_item_id,
    priced_quantity.cycle_start,
    priced_quantity.price_id,
    priced_quantity.group_key,
    priced_quantity.quantity,
    priced_quantity.record_amount as amount,
    priced_quantity.billing_period
from priced_quantity
where
    priced_quantity.charge_model in (
        'record_graduated',
        'record_price',
        'record_amount',
        'percentage',
        'time_of_use',
        'dimension'
    )
