-- How far a quota is used when somebody wants to be told.
create table quota_threshold (
    quota_id varchar not null references contract_item (quota_id) comment 'the quota, as items name it',
    used_percent decimal(9, 2) not null comment 'of what is included in a cycle [percent]',
    check (used_percent > 0),
    primary key (quota_id, used_percent)
);
