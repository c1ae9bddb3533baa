-- The closed periods that a person let rate again by other contracts, prices,
-- quotas or queries than those of their closing.
create table rerating (
    rerate_number bigint not null comment 'counts up, from 1',
    billing_period varchar not null comment 'the closed month',
    last_closed varchar comment 'the last period closed then: what stood in the month up to its closing is guided anew; null: it keeps its guiding',
    rerated_as_of timestamp not null comment 'the as-of of the run that did it',
    rerated_by varchar not null comment 'who',
    reason varchar not null comment 'why',
    primary key (rerate_number)
);
