-- minimum_fee: every other translation agency owes a minimum.
--
-- grain:  contract_id, valid_from
-- reads:  generated_contract

select
    generated_contract.contract_id,
    15000 as amount,
    '2026-01-01' as valid_from,
    cast(null as varchar) as valid_to
from generated_contract
where
    generated_contract.business = 'translation'
    and generated_contract.block_number % 2 = 0
order by generated_contract.contract_id
