-- item_field: which field of a record does a contract item count by, or have its
-- number from?
--
-- grain:  contract_item_id
-- reads:  contract_item

select
    contract_item.contract_item_id,
    contract_item.contract_id,
    contract_item.usage_type,
    contract_item.usage_tag,
    contract_item.product_id,
    contract_item.quantity_field,
    case
        when starts_with(contract_item.quantity_field, 'records with ')
            then substr(contract_item.quantity_field, 14)
    end as counted_field,
    case
        when
            contract_item.quantity_field
            not in ('quantity', 'records', 'seconds')
            and not starts_with(
                contract_item.quantity_field, 'records with '
            )
            then contract_item.quantity_field
    end as number_field,
    contract_item.quantity_field = 'records'
    or starts_with(contract_item.quantity_field, 'records with ')
        as is_counted,
    contract_item.block_quantity,
    contract_item.price_field,
    contract_item.unit,
    contract_item.valid_from,
    contract_item.valid_to
from contract_item
