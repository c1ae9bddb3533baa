-- How little is left of grants when somebody wants to be told.
create table balance_threshold (
    quota_id varchar not null references grant_account (quota_id) comment 'the quota that grants pay, or the name of credits',
    balance decimal(32, 12) not null comment 'what is left of all grants of an account, or less [unit, or currency of the account]',
    check (balance >= 0),
    primary key (quota_id, balance)
);
