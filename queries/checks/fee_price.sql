-- fee_price: a fee has a flat price.

select
    contract_item.contract_item_id,
    contract_item.product_id
from contract_item
where
    contract_item.usage_type is null
    and not exists (
        select 1
        from price
        where
            price.product_id = contract_item.product_id
            and price.charge_model = 'flat'
    )
