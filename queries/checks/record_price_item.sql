-- record_price_item: who pays the price that records carry says which field it
-- is, and has no quota.
--
-- A quota frees units, and a record's price does not say what a unit costs.

select
    contract_item.contract_item_id,
    price.price_id,
    price.charge_model,
    contract_item.price_field,
    contract_item.quota_id
from contract_item
inner join price
    on contract_item.product_id = price.product_id
where
    price.charge_model in ('record_price', 'record_amount')
    and (
        contract_item.price_field is null
        or contract_item.quota_id is not null
    )
