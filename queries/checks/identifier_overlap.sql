-- identifier_overlap: an identifier belongs to one contract at a time.

select
    earlier.identifier_kind,
    earlier.identifier,
    earlier.contract_id,
    later.contract_id as other_contract_id,
    later.valid_from as both_in_force_from
from contract_identifier as earlier
inner join contract_identifier as later
    on earlier.identifier_kind = later.identifier_kind
    and earlier.identifier = later.identifier
    and earlier.valid_from < later.valid_from
    and (earlier.valid_to is null or later.valid_from < earlier.valid_to)
