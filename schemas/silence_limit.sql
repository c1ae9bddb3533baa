-- How long a source may say nothing before somebody wants to be told.
create table silence_limit (
    source varchar not null comment 'the system that counts',
    silent_hours integer not null comment 'hours without usage, by event time, a week at most [hours]',
    check (silent_hours between 1 and 168),
    primary key (source)
);
