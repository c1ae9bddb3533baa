-- What is left of each grant at the end of each billing cycle.
--
-- What happens where one cycle ends and the next begins, such as a grant that is
-- full again, is in balance, used_quantity and overage, and not in the others.
create table grant_balance (
    grant_id varchar not null comment 'the grant',
    read_at timestamp not null comment 'the end of the cycle; what expires at that instant is still there',
    contract_id varchar not null comment 'the contract of the account',
    quota_id varchar not null comment 'the quota',
    cycle_start timestamp not null comment 'the whole cycle that ends, inclusive',
    used_quantity decimal(38, 12) not null comment 'burnt since the cycle before [unit]',
    balance decimal(38, 12) not null comment 'left [unit]',
    overage decimal(38, 12) not null comment 'used and not yet paid by any grant of the account [unit]',
    cycle_used_quantity decimal(38, 12) not null comment 'burnt within the cycle [unit]',
    cycle_balance decimal(38, 12) not null comment 'left of the cycle [unit]',
    cycle_overage decimal(38, 12) not null comment 'used and not paid by any grant of the account within the cycle [unit]',
    primary key (grant_id, read_at)
);
