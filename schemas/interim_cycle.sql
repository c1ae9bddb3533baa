-- Items whose cycle is billed before it ends: what is only known at the end,
-- volume prices and minimum amounts, is not due yet.
create table interim_cycle (
    contract_item_id varchar not null references contract_item (contract_item_id) comment 'the item',
    cycle_start timestamp not null comment 'the cycle, inclusive',
    volume_due boolean not null default false comment 'true: volume prices are charged by what is known so far, to be corrected later',
    primary key (contract_item_id, cycle_start)
);
