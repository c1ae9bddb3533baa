-- What happens to usage that comes after its period closed; by default it is
-- corrected.
create table late_policy (
    usage_type varchar not null references contract_item (usage_type) comment 'what was used',
    policy varchar not null comment 'correct: a signed line for the period it belongs to; next_period: counts in the open one; suspend: waits',
    check (policy in ('correct', 'next_period', 'suspend')),
    primary key (usage_type)
);
