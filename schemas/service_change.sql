-- What was changed over HTTP: every request that asked for a change, by which
-- key, when, and what came of it. Services add rows every 10 seconds; no query of
-- the project reads it.
create table service_change (
    change_id varchar not null comment 'told apart by this',
    answered_at timestamp not null comment 'when it was answered',
    key_id varchar comment 'the key that it had; none where everybody might',
    key_name varchar comment 'the name of that key',
    method varchar not null comment 'such as POST',
    path varchar not null comment 'where it went, without what follows a `?`',
    request_id varchar not null comment 'the `x-request-id` of its answer',
    status bigint comment 'the status of its answer; none where it was not answered',
    outcome varchar not null comment 'what came of it',
    primary key (change_id)
);
