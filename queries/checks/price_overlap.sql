-- price_overlap: a product has one price in force at a time.

select
    earlier.product_id,
    earlier.price_id,
    later.price_id as other_price_id,
    later.valid_from as both_in_force_from
from price as earlier
inner join price as later
    on earlier.product_id = later.product_id
    and earlier.price_id <> later.price_id
    and earlier.valid_from <= later.valid_from
    and (earlier.valid_to is null or later.valid_from < earlier.valid_to)
    and (
        earlier.valid_from < later.valid_from
        or earlier.price_id < later.price_id
    )
