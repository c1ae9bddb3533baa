-- group_limit: up to which total of a group does a tier of a capacity price hold?
--
-- grain:  price_id, tier_number, group_key
-- reads:  capacity_limit, price, metric
-- rule:   a key is compared as JSON, as that of a matrix price

select
    capacity_limit.price_id,
    capacity_limit.tier_number,
    group_key(capacity_limit.group_key, metric.group_fields) as group_key,
    capacity_limit.quantity_to
from capacity_limit
inner join price
    on capacity_limit.price_id = price.price_id
inner join metric
    on price.product_id = metric.product_id
where metric.group_fields is not null
