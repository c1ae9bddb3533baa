-- How much of a quota its owner uses in a cycle.
create table quota_use (
    quota_id varchar not null comment 'the quota',
    quota_scope varchar not null comment 'who shares it: contract or customer',
    owner_id varchar not null comment 'the contract or customer',
    cycle_start timestamp not null comment 'the whole cycle, inclusive',
    cycle_end timestamp not null comment 'the whole cycle, exclusive',
    used_from timestamp not null comment 'first instant of it that a contract shares it, inclusive',
    used_to timestamp not null comment 'last one, exclusive',
    customer_id varchar not null comment 'the customer',
    used_quantity decimal(38, 12) not null comment 'metered in the cycle [unit]',
    billing_period varchar not null comment 'month in which the cycle ends',
    primary key (quota_id, quota_scope, owner_id, cycle_start)
)
partitioned by (billing_period);
