-- record_price_item: who pays the price that records carry says which field it
-- is; who says which field it is pays that price.

select
    contract_item.contract_item_id,
    price.price_id,
    price.charge_model,
    contract_item.price_field
from contract_item
inner join price
    on contract_item.product_id = price.product_id
where
    price.charge_model in ('record_price', 'record_amount')
    and contract_item.price_field is null

union all

select
    contract_item.contract_item_id,
    cast(null as varchar) as price_id,
    'no record_price or record_amount' as charge_model,
    contract_item.price_field
from contract_item
where
    contract_item.price_field is not null
    and not exists (
        select 1
        from price
        where
            price.product_id = contract_item.product_id
            and price.charge_model in ('record_price', 'record_amount')
    )
