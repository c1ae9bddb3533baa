-- What has happened, for those who want to be told: of each condition that the
-- queries of `queries/event` know, that it began to hold, or that it ended. Never
-- changes.
create table event (
    event_number bigint not null comment 'counts up, from 1, without gaps',
    event_id varchar not null comment 'kind, key and ordinal: another one for each time',
    kind varchar not null comment 'the query that knows the condition; job_failed: none, a job of the service',
    event_key varchar not null comment 'which one of its kind [JSON array]',
    ordinal bigint not null comment 'counts up for each condition, from 1: odd where it began to hold, even where it ended',
    has_ended boolean not null comment 'that it ended',
    customer_id varchar comment 'whom it is about; null: all, or nobody',
    run bigint not null comment 'the number under which it was published',
    happened_as_of timestamp not null comment 'the as-of of the run; what the clock alone brings about, when it was looked at',
    data varchar not null comment 'what the query says of it; where it ended, what it said last [JSON object]',
    check (has_ended = (ordinal % 2 = 0)),
    primary key (event_number)
);
