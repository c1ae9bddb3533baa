-- When the grants of an account roll over.
create table quota_reset (
    contract_id varchar not null comment 'the contract',
    quota_id varchar not null comment 'the quota',
    reset_at timestamp not null comment 'the instant',
    keeps_overage boolean not null default false comment 'true: overage burns what is rolled over; false: it does not, and is not carried on',
    foreign key (contract_id, quota_id) references grant_account (contract_id, quota_id),
    primary key (contract_id, quota_id, reset_at)
);
