-- How far a quota is used in a cycle.
create table entitlement_status (
    quota_id varchar not null comment 'the quota',
    quota_scope varchar not null comment 'contract, or customer where it is pooled',
    owner_id varchar not null comment 'the contract, or the customer',
    cycle_start timestamp not null comment 'the whole cycle, also where a contract is in force for a part of it, inclusive',
    cycle_end timestamp not null comment 'exclusive',
    customer_id varchar not null comment 'who pays',
    included_quantity decimal(38, 12) not null comment 'granted for the cycle [unit]',
    used_quantity decimal(38, 12) not null comment 'metered in the cycle [unit]',
    remaining_quantity decimal(38, 12) not null comment 'granted and not used [unit]',
    overage_quantity decimal(38, 12) not null comment 'used beyond what was granted [unit]',
    billing_period varchar not null comment 'the month in which the cycle ends',
    check (included_quantity + overage_quantity = used_quantity + remaining_quantity),
    primary key (quota_id, quota_scope, owner_id, cycle_start)
) partitioned by (billing_period);
