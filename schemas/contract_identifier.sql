-- Which contract an account or a vehicle belongs to, and when.
create table contract_identifier (
    identifier_kind varchar not null comment 'the column of usage_record: account_id or vin',
    identifier varchar not null comment 'its value',
    contract_id varchar not null references contract (contract_id) comment 'the contract it is assigned to',
    valid_from timestamp not null comment 'assigned from, inclusive',
    valid_to timestamp comment 'assigned to, exclusive; null: open',
    check (identifier_kind in ('account_id', 'vin')),
    check (valid_to > valid_from),
    primary key (identifier_kind, identifier, valid_from)
);
