-- known_contract: is there a contract of this id, and who pays?
--
-- grain:  contract_id
-- reads:  contract

select
    contract.contract_id,
    contract.customer_id
from contract
where contract.contract_id = cast($contract_id as varchar)
