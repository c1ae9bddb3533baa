-- Which tables and views are those of today, and which those of its closing, when a
-- closed period is rated again. Never changes; where a period was let rate again by
-- other rules, it has them anew.
create table closed_table (
    billing_period varchar not null comment 'the closed month',
    rerate_number bigint not null comment 'of the rerating that wrote it; 0: its closing',
    table_name varchar not null comment 'the table or view',
    taken varchar not null comment 'today: as it is now; closing: as it was; period: made again for the month, by the query of the closing; whole: made again, by that query',
    check (taken in ('today', 'closing', 'period', 'whole')),
    primary key (billing_period, rerate_number, table_name)
);
