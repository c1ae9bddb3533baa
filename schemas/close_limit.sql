-- How much may be wrong with a period that closes; a limit that is not there is
-- none.
create table close_limit (
    limit_name varchar not null comment 'suspense_records, suspense_days, suspense_quantity or change_percent',
    limit_value decimal(18, 6) not null comment 'at most so many [records, days, units or percent]',
    unit varchar comment 'the unit of a suspense_quantity; null: each unit by itself',
    check (limit_name in ('suspense_records', 'suspense_days', 'suspense_quantity', 'change_percent')),
    check (limit_value >= 0),
    check (unit is null or limit_name = 'suspense_quantity')
);
