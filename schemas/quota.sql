-- The quantity included in each billing cycle, and since when.
create table quota (
    quota_id varchar not null comment 'the quota',
    included_quantity decimal(32, 12) not null comment 'granted for a cycle [unit]',
    proration varchar not null default 'none' comment 'changed within a cycle: none (the last one counts in full), or time',
    goodwill_percent decimal(18, 12) not null default 0 comment 'so much of the included quantity may be used beyond it and is not charged [percent]',
    limit_type varchar not null default 'soft' comment 'once all of it is used: soft (access stays), or hard (has_access in entitlement_status is false)',
    valid_from timestamp not null comment 'in force from, inclusive',
    valid_to timestamp comment 'in force to, exclusive; null: open',
    check (included_quantity >= 0),
    check (proration in ('none', 'time')),
    check (goodwill_percent >= 0),
    check (limit_type in ('soft', 'hard')),
    check (valid_to > valid_from),
    primary key (quota_id, valid_from)
);
