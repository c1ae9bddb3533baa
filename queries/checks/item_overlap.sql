-- item_overlap: a contract charges the same thing once.

select
    contract_item.contract_id,
    contract_item.contract_item_id,
    other.contract_item_id as other_contract_item_id,
    contract_item.product_id,
    contract_item.usage_type
from contract_item
inner join contract_item as other
    on contract_item.contract_id = other.contract_id
    and contract_item.product_id = other.product_id
    and coalesce(contract_item.usage_type, '') = coalesce(other.usage_type, '')
    and coalesce(contract_item.usage_tag, '') = coalesce(other.usage_tag, '')
    and contract_item.contract_item_id < other.contract_item_id
    and (
        other.valid_to is null
        or contract_item.valid_from < other.valid_to
    )
    and (
        contract_item.valid_to is null
        or other.valid_from < contract_item.valid_to
    )
