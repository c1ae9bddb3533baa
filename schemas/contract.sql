-- What a customer signed: currency, calendar, and for how long. Times without an
-- offset are in the contract's own time_zone.
create table contract (
    contract_id varchar not null comment 'the contract',
    customer_id varchar not null comment 'who pays',
    currency varchar not null comment 'ISO 4217 code',
    time_zone varchar not null comment 'IANA zone in which its days and cycles begin',
    cycle_interval varchar not null comment 'week, month, quarter or year',
    cycle_anchor date comment 'cycles begin on this day; null: by the calendar',
    valid_from timestamp not null comment 'in force from, inclusive',
    valid_to timestamp comment 'in force to, exclusive; null: open',
    check (cycle_interval in ('week', 'month', 'quarter', 'year')),
    check (valid_to > valid_from),
    primary key (contract_id)
);
