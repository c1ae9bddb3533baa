-- shared_price: which prices share something with other versions in a cycle?
--
-- grain:  price_id
-- reads:  price, price_modifier
-- rule:   those of a product of which one has units that are free, blocks, or
--         tiers that go on

select
    price.price_id,
    price.charge_model
from price
where exists (
    select 1
    from price as version
    inner join price_modifier
        on version.price_id = price_modifier.price_id
    where
        version.product_id = price.product_id
        and (
            price_modifier.free_quantity > 0
            or price_modifier.block_quantity is not null
            or price_modifier.tiers_go_on
        )
)
