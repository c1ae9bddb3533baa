-- contract_item: each vendor is charged for every item of the tariff.
--
-- grain:  contract_item_id
-- reads:  tariff_item, contract

select
    concat(
        contract.contract_id,
        '/',
        tariff_item.usage_type,
        '/',
        tariff_item.product_id
    ) as contract_item_id,
    contract.contract_id,
    tariff_item.product_id,
    concat(tariff_item.usage_type, ', ', tariff_item.product_id) as description,
    tariff_item.usage_type,
    tariff_item.usage_tag,
    tariff_item.quantity_field,
    tariff_item.block_quantity,
    tariff_item.price_field,
    case
        when tariff_item.block_quantity is null then 'trip'
        else 'block'
    end as unit,
    cast(null as varchar) as quota_id,
    'contract' as quota_scope,
    cast(1 as integer) as draw_order,
    'suspend' as unpriced_usage,
    'full' as usage_shown,
    'record' as statement_grain,
    cast(null as varchar) as purchase_order,
    cast(null as varchar) as product_code,
    cast(null as varchar) as tax_category,
    cast(null as varchar) as gl_account,
    greatest(contract.valid_from, tariff_item.valid_from) as valid_from,
    contract.valid_to
from tariff_item
cross join contract
