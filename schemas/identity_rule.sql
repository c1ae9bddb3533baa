-- How records of a source are told apart, where that is not by transaction_id
-- alone with the first to arrive counting.
create table identity_rule (
    source varchar not null comment 'the system that counted',
    identity varchar not null comment 'transaction_id, or transaction_id_time: of one id, records of another usage_start are others',
    keeps varchar not null comment 'which of those with one identity counts: first or latest to arrive',
    check (identity in ('transaction_id', 'transaction_id_time')),
    check (keeps in ('first', 'latest')),
    primary key (source)
);
