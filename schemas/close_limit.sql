-- How much may be wrong with a period that closes; a limit that is not there is
-- none.
create table close_limit (
    limit_name varchar not null comment 'suspense_records, suspense_days or change_percent',
    limit_value decimal(18, 6) not null comment 'at most so many [records, days or percent]',
    check (limit_name in ('suspense_records', 'suspense_days', 'change_percent')),
    check (limit_value >= 0),
    primary key (limit_name)
);
