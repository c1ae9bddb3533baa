-- What a contract pays at least for each billing cycle.
create table minimum_fee (
    contract_id varchar not null comment 'the contract',
    amount decimal(38, 12) not null comment 'least amount of a cycle [currency]',
    valid_from timestamp not null comment 'in force from, inclusive',
    valid_to timestamp comment 'in force to, exclusive; null: open',
    check (valid_to > valid_from),
    primary key (contract_id, valid_from)
);
