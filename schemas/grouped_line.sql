-- The lines of whose statements a row adds up records.
create table grouped_line (
    line_id varchar not null comment 'the line',
    statement_grain varchar not null comment 'day: the records of a local day; line: all of the line',
    billing_period varchar not null comment 'the month it is billed in',
    primary key (line_id)
) partitioned by (billing_period);
