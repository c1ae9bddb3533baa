-- How far a quota is used in a cycle, and what an application may do about it.
create table entitlement_status (
    quota_id varchar not null comment 'the quota',
    quota_scope varchar not null comment 'contract, or customer where it is pooled',
    owner_id varchar not null comment 'the contract, or the customer',
    cycle_start timestamp not null comment 'the whole cycle, also where a contract is in force for a part of it, inclusive',
    cycle_end timestamp not null comment 'exclusive',
    customer_id varchar not null comment 'who pays',
    included_quantity decimal(38, 12) not null comment 'granted for the cycle; of grants: burnt or left [unit]',
    used_quantity decimal(38, 12) not null comment 'metered in the cycle, with overage that grants carry into it [unit]',
    remaining_quantity decimal(38, 12) not null comment 'granted and not used [unit]',
    goodwill_quantity decimal(38, 12) not null comment 'used beyond what was granted and let pass [unit]',
    overage_quantity decimal(38, 12) not null comment 'used beyond both [unit]',
    covered_quantity decimal(38, 12) comment 'usage that needs no price, at most [unit]; null: all, grants carry its overage on',
    limit_type varchar not null comment 'soft, or hard',
    state varchar not null comment 'within, goodwill, overage, or exhausted: nothing is left',
    has_access boolean not null comment 'false: a hard limit is reached',
    billing_period varchar not null comment 'the month in which the cycle ends',
    check (included_quantity + goodwill_quantity + overage_quantity = used_quantity + remaining_quantity),
    check (state in ('within', 'goodwill', 'overage', 'exhausted')),
    primary key (quota_id, quota_scope, owner_id, cycle_start)
) partitioned by (billing_period);
