-- The billing cycles of every contract that began until the run's as-of.
create table billing_cycle (
    contract_id varchar not null comment 'the contract',
    cycle_start timestamp not null comment 'inclusive',
    cycle_end timestamp not null comment 'exclusive',
    cycle_number bigint not null comment 'from 0, the cycle in which the contract begins',
    full_start timestamp not null comment 'start of the cycle if the contract had been in force',
    full_end timestamp not null comment 'end of the cycle if the contract stays in force',
    customer_id varchar not null comment 'who pays',
    currency varchar not null comment 'ISO 4217 code',
    time_zone varchar not null comment 'IANA zone of the contract',
    billing_period varchar not null comment 'the month in which the cycle ends, such as 2026-10',
    primary key (contract_id, cycle_start)
) partitioned by (billing_period);
