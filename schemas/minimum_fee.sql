-- What a contract pays at least for each billing cycle.
create table minimum_fee (
    contract_id varchar not null references contract (contract_id) comment 'the contract',
    amount decimal(28, 12) not null comment 'least amount of a cycle [currency]',
    scope varchar not null default 'contract' comment 'what counts against it: contract, the lines of the cycle; customer, all lines of the customer in the billing period and currency, other minimum fees left aside',
    proration varchar not null default 'none' comment 'the minimum of a part of a cycle: none (in full), or days (its local days)',
    valid_from timestamp not null comment 'in force from, inclusive',
    valid_to timestamp comment 'in force to, exclusive; null: open',
    check (scope in ('contract', 'customer')),
    check (proration in ('none', 'days')),
    check (valid_to > valid_from),
    primary key (contract_id, valid_from)
);
