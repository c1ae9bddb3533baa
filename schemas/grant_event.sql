-- What happens to the grants of an account, and when. An account of credits has a
-- currency.
create table grant_event (
    contract_id varchar not null comment 'the contract of the account',
    quota_id varchar not null comment 'the quota',
    happens_at timestamp not null comment 'the instant',
    stage integer not null comment 'order of what happens at one instant, see the query',
    place integer not null comment 'the grant, by its place in the order in which grants burn; 0: the account',
    grant_id varchar comment 'the grant; null: the account',
    currency varchar comment 'ISO 4217 code',
    kind varchar not null comment 'what happens, as the function burn_down does it: set, roll, lose, use, give, owe, pay or read',
    amount decimal(38, 12) comment 'of what is set, used or owed [unit, or currency of the account]',
    least decimal(38, 12) comment 'what is at least left at a reset [unit]',
    most decimal(38, 12) comment 'what is at most left at a reset [unit]',
    landing_sequence bigint not null comment 'the record of usage; 0: none',
    primary key (contract_id, quota_id, happens_at, stage, place, landing_sequence)
);
