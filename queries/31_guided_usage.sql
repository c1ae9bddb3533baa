-- guided_usage: which contract item and billing cycle own a record?
--
-- grain:  landing_sequence, contract_item_id, part_number
-- reads:  guiding
-- rule:   a record that waits in `suspense` counts nowhere, though a part of it
--         may stand here

select
    guiding.landing_sequence,
    guiding.contract_item_id,
    guiding.part_number,
    guiding.cycle_start,
    guiding.usage_start,
    guiding.product_id,
    guiding.usage_type,
    guiding.unit,
    guiding.record_quantity,
    guiding.quantity,
    guiding.record_price,
    guiding.billing_period
from guiding
where guiding.suspense_reason is null
