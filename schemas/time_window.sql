-- Windows of local time: usage that begins in one bears its tag, which contract
-- items can ask for. Several rows of one tag are one window.
create table time_window (
    tag varchar not null comment 'what usage in the window bears, such as night',
    usage_type varchar not null references contract_item (usage_type) comment 'usage of this type',
    time_zone varchar not null references time_zone (name) comment 'IANA zone whose clocks count',
    weekday_from integer not null comment 'first day, 1 is Monday',
    weekday_to integer not null comment 'last day, inclusive, 7 is Sunday',
    hour_from integer not null comment 'first hour of the day, inclusive',
    hour_to integer not null comment 'end, exclusive; 24 is midnight',
    holiday_calendar varchar references holiday (holiday_calendar) comment 'closed on the days of this calendar; null: open on all',
    check (1 <= weekday_from and weekday_from <= weekday_to and weekday_to <= 7),
    check (0 <= hour_from and hour_from < hour_to and hour_to <= 24),
    primary key (tag, usage_type, weekday_from, hour_from)
);
