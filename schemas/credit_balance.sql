-- What each grant of credits has paid of a cycle's lines, and what is left of it.
create table credit_balance (
    grant_id varchar not null comment 'the grant',
    line_id varchar not null comment 'the invoice line of all that credits paid of these lines; there is none where they paid nothing',
    customer_id varchar not null comment 'who pays',
    contract_id varchar not null comment 'the contract of the lines',
    quota_id varchar not null comment 'the account of credits',
    cycle_start timestamp not null comment 'the cycle of the lines, inclusive',
    cycle_end timestamp not null comment 'exclusive',
    line_amount decimal(38, 12) not null comment 'the sum of the lines [currency]',
    used_amount decimal(38, 12) not null comment 'paid by this grant [currency]',
    used_amount_rounded decimal(38, 12) not null comment 'the same on the invoice line, rounded as its currency declares [currency]',
    balance decimal(38, 12) not null comment 'left of the grant then [currency]',
    currency varchar not null comment 'ISO 4217 code',
    billing_period varchar not null comment 'the month the lines are billed in',
    check (used_amount >= 0),
    check (balance >= 0),
    primary key (grant_id, line_id)
) partitioned by (billing_period);
