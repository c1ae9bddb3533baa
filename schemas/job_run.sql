-- What services did when it was due, by `[jobs]` in meterhouse.toml. A service
-- adds a row when a job ends; no query of the project reads it.
create table job_run (
    job varchar not null comment 'its name in the settings',
    due_at timestamp not null comment 'when it was due',
    does varchar not null comment 'land, run, close, export or vacuum',
    began_at timestamp not null comment 'when it began',
    ended_at timestamp not null comment 'when it ended',
    took_seconds decimal(18, 3) not null comment 'how long it took [s]',
    outcome varchar not null comment 'done or failed',
    detail varchar not null comment 'the same in words',
    service_id varchar not null comment 'the service that did it, from its start to its stop',
    run_number bigint comment 'the run that it published, if it did',
    check (outcome in ('done', 'failed')),
    primary key (job, due_at)
);
