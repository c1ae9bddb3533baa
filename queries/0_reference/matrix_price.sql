-- matrix_price: what does a unit of each group of a matrix price cost?
--
-- grain:  price_id, group_key
-- reads:  price_matrix, price, metric
-- rule:   a key is compared as JSON: order, blanks and the way of writing a number
--         do not count, and it is written here as the group of a record is

select
    price_matrix.price_id,
    group_key(price_matrix.group_key, metric.group_fields) as group_key,
    price_matrix.unit_amount
from price_matrix
inner join price
    on price_matrix.price_id = price.price_id
inner join metric
    on price.product_id = metric.product_id
where metric.group_fields is not null
