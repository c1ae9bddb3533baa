-- customer_usage: which customer used what, in which contract, item and cycle?
--
-- grain:  landing_sequence, contract_item_id, part_number
-- reads:  guided_usage, suspense, contract_item, contract
-- engine: any, so `meterhouse views` prints it
-- rule:   what waits in suspense is not here; names are those of today; no query
--         of the pipeline reads it

select
    guided_usage.landing_sequence,
    contract.customer_id,
    contract_item.contract_id,
    guided_usage.contract_item_id,
    guided_usage.part_number,
    guided_usage.cycle_start,
    guided_usage.usage_start,
    guided_usage.part_end,
    guided_usage.product_id,
    guided_usage.usage_type,
    guided_usage.quantity,
    contract_item.unit,
    contract.currency,
    guided_usage.is_closed,
    guided_usage.billing_period
from guided_usage
left join contract_item
    on guided_usage.contract_item_id = contract_item.contract_item_id
left join contract
    on contract_item.contract_id = contract.contract_id
where not exists (
    select 1
    from suspense
    where
        suspense.landing_sequence = guided_usage.landing_sequence
        and not guided_usage.is_closed
)
