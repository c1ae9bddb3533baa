-- shared_modifier: versions of a price that share free units or packages within a
-- cycle count them in one unit.

select
    priced_cycle.customer_id,
    priced_cycle.contract_item_id,
    priced_cycle.cycle_start,
    max(priced_cycle.billing_period) as billing_period,
    min(priced_cycle.price_id) as price_id,
    max(priced_cycle.price_id) as other_price_id,
    'their convert_factor and convert_divisor differ: change the price with a cycle'
        as mistake
from price_modifier
inner join priced_cycle
    on price_modifier.price_id = priced_cycle.price_id
where
    price_modifier.free_quantity > 0
    or price_modifier.block_quantity is not null
    or price_modifier.tiers_go_on
group by
    priced_cycle.customer_id,
    priced_cycle.contract_item_id,
    priced_cycle.cycle_start
having
    min(price_modifier.convert_factor) <> max(price_modifier.convert_factor)
    or min(price_modifier.convert_divisor) <> max(price_modifier.convert_divisor)
