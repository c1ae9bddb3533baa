-- advance_fee: what is billed in advance is a fee, and usage is billed when its
-- cycle has ended.
--
-- A flat price in advance belongs to the month in which a cycle begins, usage to the
-- month in which it ends: where these are not the same, no line can hold both.

select
    priced_cycle.contract_item_id,
    priced_cycle.cycle_start,
    priced_cycle.price_id,
    priced_cycle.billing_period as fee_period,
    billing_cycle.billing_period as usage_period,
    'make the fee an item of its own, without usage_type' as mistake
from price
inner join contract_item
    on price.product_id = contract_item.product_id
inner join priced_cycle
    on contract_item.contract_item_id = priced_cycle.contract_item_id
    and price.price_id = priced_cycle.price_id
inner join billing_cycle
    on priced_cycle.contract_id = billing_cycle.contract_id
    and priced_cycle.cycle_start = billing_cycle.cycle_start
where
    price.billing_timing = 'advance'
    and contract_item.usage_type is not null
    and priced_cycle.billing_period <> billing_cycle.billing_period
