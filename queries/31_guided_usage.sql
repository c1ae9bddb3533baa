-- guided_usage: which contract item and billing cycle own a record?
--
-- grain:  landing_sequence, contract_item_id, part_number
-- reads:  guiding

select
    guiding.landing_sequence,
    guiding.contract_item_id,
    cast(1 as integer) as part_number,
    guiding.cycle_start,
    guiding.usage_start,
    guiding.product_id,
    guiding.usage_type,
    guiding.unit,
    guiding.record_quantity,
    cast(guiding.quantity as decimal(38, 12)) as quantity,
    guiding.record_price,
    guiding.billing_period
from guiding
where guiding.suspense_reason is null
