-- What a contract still owes to reach its minimum fee.
create table minimum_line (
    line_id varchar not null comment 'stable key: contract and cycle',
    customer_id varchar not null comment 'who pays',
    contract_id varchar not null comment 'the contract',
    cycle_start timestamp not null comment 'the cycle, inclusive',
    cycle_end timestamp not null comment 'exclusive',
    minimum_amount decimal(38, 12) not null comment 'the minimum of the cycle [currency]',
    amount_exact decimal(38, 12) not null comment 'what is missing, before rounding [currency]',
    amount decimal(38, 12) not null comment 'rounded as its currency declares [currency]',
    counted_amount decimal(38, 12) not null comment 'what minimums and credits are held against: the rounded amount, or the exact one where the currency rounds invoices [currency]',
    currency varchar not null comment 'ISO 4217 code',
    billing_period varchar not null comment 'the month it is billed in',
    primary key (line_id)
) partitioned by (billing_period);
