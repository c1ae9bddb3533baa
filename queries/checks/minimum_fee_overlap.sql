-- minimum_fee_overlap: a contract has one minimum fee in force at a time.

select
    earlier.contract_id,
    earlier.valid_from,
    later.valid_from as both_in_force_from
from minimum_fee as earlier
inner join minimum_fee as later
    on earlier.contract_id = later.contract_id
    and earlier.valid_from < later.valid_from
    and (earlier.valid_to is null or later.valid_from < earlier.valid_to)
