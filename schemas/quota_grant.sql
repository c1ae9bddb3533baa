-- What a contract may use of a quota, or of money paid in advance, and when.
create table quota_grant (
    grant_id varchar not null comment 'the grant',
    contract_id varchar not null comment 'the contract of the account',
    quota_id varchar not null comment 'the quota',
    amount decimal(32, 12) not null comment 'what is granted [unit, or currency of the account]',
    priority integer not null default 1 comment 'lower ones burn first, then those that expire earlier',
    effective_at timestamp not null comment 'it can be used from, inclusive',
    expires_at timestamp comment 'to, exclusive; what is left is lost; null: never',
    voided_at timestamp comment 'taken back at; what is left is lost; null: not',
    recurrence_interval varchar comment 'it is full again after each of these: month; null: never',
    recurrence_anchor timestamp comment 'counted from; null: from effective_at',
    rollover_minimum decimal(32, 12) not null default 0 comment 'at a reset at least so much is left [unit]',
    rollover_maximum decimal(32, 12) not null default 0 comment 'at a reset at most so much is left [unit]',
    opening_balance decimal(32, 12) comment 'what was left when the account was opened [unit]; null: nothing, or all where it begins then',
    check (regexp_like(recurrence_interval, '^((([1-9][0-9]{0,9} )?second|([1-9][0-9]{0,7} )?minute|([1-9][0-9]{0,6} )?hour|([1-9][0-9]{0,4} )?day|([1-9][0-9]{0,3} )?(week|month)|([1-9][0-9]{0,2} )?(quarter|year))s?( |$))+$')),
    check (recurrence_interval not like '% '),
    check (amount >= 0),
    check (expires_at > effective_at),
    foreign key (contract_id, quota_id) references grant_account (contract_id, quota_id),
    primary key (grant_id)
);
