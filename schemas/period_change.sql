-- The closed periods whose usage is another than when they closed.
create table period_change (
    billing_period varchar not null comment 'the closed month',
    late_count bigint not null comment 'parts of records that came later [parts]',
    void_count bigint not null comment 'parts of records that were voided later [parts]',
    guided_again_count bigint not null comment 'parts of records that are guided anew since it is rated by other rules [parts]',
    change_hash decimal(38, 0) not null comment 'sum of row_hash over them all',
    primary key (billing_period)
);
