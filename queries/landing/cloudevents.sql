-- cloudevents: CloudEvents as usage records, as OpenMeter's clients send them.
--
-- An event's source and id are the identity of its record, its type says what
-- was used, and its subject whose it is: an account that is assigned to a
-- contract. The members of its data are fields of the record, so a contract
-- item may name any of them as its quantity.

select
    json_text(file._text, 'source') as source,
    json_text(file._text, 'id') as transaction_id,
    json_text(file._text, 'type') as usage_type,
    json_text(file._text, 'time') as usage_start,
    json_text(file._text, 'subject') as account_id,
    json_text(json_text(file._text, 'data'), 'quantity') as quantity,
    json_text(json_text(file._text, 'data'), 'unit') as unit,
    json_text(file._text, 'data') as attributes
from file
