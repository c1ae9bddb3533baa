-- term: from when to when is a row of reference data in force?
--
-- grain:  table_name, row_id, valid_from
-- reads:  price, contract, contract_item, contract_identifier, minimum_fee,
--         quota, quota_grant
-- rule:   rows of one series are in force one after the other; without a time zone a
--         row is for contracts of every zone

select
    'price' as table_name,
    price.price_id as row_id,
    price.product_id as series,
    price.valid_from,
    price.valid_to,
    cast(null as varchar) as time_zone
from price

union all

select
    'contract' as table_name,
    contract.contract_id as row_id,
    contract.contract_id as series,
    contract.valid_from,
    contract.valid_to,
    contract.time_zone
from contract

union all

select
    'contract_item' as table_name,
    contract_item.contract_item_id as row_id,
    concat(
        contract_item.contract_id,
        ' ',
        contract_item.product_id,
        ' ',
        contract_item.usage_type
    ) as series,
    contract_item.valid_from,
    contract_item.valid_to,
    contract.time_zone
from contract_item
inner join contract
    on contract_item.contract_id = contract.contract_id

union all

select
    'contract_identifier' as table_name,
    concat(
        contract_identifier.identifier,
        ' of ',
        contract_identifier.contract_id
    ) as row_id,
    concat(
        contract_identifier.identifier_kind,
        ' ',
        contract_identifier.identifier
    ) as series,
    contract_identifier.valid_from,
    contract_identifier.valid_to,
    contract.time_zone
from contract_identifier
inner join contract
    on contract_identifier.contract_id = contract.contract_id

union all

select
    'minimum_fee' as table_name,
    minimum_fee.contract_id as row_id,
    minimum_fee.contract_id as series,
    minimum_fee.valid_from,
    minimum_fee.valid_to,
    contract.time_zone
from minimum_fee
inner join contract
    on minimum_fee.contract_id = contract.contract_id

union all

select
    'quota' as table_name,
    quota.quota_id as row_id,
    quota.quota_id as series,
    quota.valid_from,
    quota.valid_to,
    cast(null as varchar) as time_zone
from quota

union all

select
    'quota_grant' as table_name,
    quota_grant.grant_id as row_id,
    quota_grant.grant_id as series,
    quota_grant.effective_at as valid_from,
    quota_grant.expires_at as valid_to,
    cast(null as varchar) as time_zone
from quota_grant
