-- What is left of each grant at the end of each billing cycle.
create table grant_balance (
    grant_id varchar not null comment 'the grant',
    read_at timestamp not null comment 'the end of the cycle; what expires at that instant is still there',
    contract_id varchar not null comment 'the contract',
    quota_id varchar not null comment 'the quota',
    used_quantity decimal(38, 12) not null comment 'burnt since the cycle before [unit]',
    balance decimal(38, 12) not null comment 'left [unit]',
    overage decimal(38, 12) not null comment 'used and not yet paid by any grant of the account [unit]',
    primary key (grant_id, read_at)
);
