-- The quantity included in each billing cycle, and since when.
create table quota (
    quota_id varchar not null comment 'the quota',
    included_quantity decimal(38, 12) not null comment 'granted for a cycle [unit]',
    proration varchar not null default 'none' comment 'changed within a cycle: none (the last one counts in full), or time',
    valid_from timestamp not null comment 'in force from, inclusive',
    valid_to timestamp comment 'in force to, exclusive; null: open',
    check (included_quantity >= 0),
    check (proration in ('none', 'time')),
    check (valid_to > valid_from),
    primary key (quota_id, valid_from)
);
