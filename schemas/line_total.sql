-- The usage that stands behind lines, as the second balance counts it.
create table line_total (
    billing_period varchar not null comment 'the month',
    usage_type varchar not null comment 'what was used',
    line_count bigint not null comment 'lines [lines]',
    record_count bigint not null comment 'parts of records [parts]',
    quantity decimal(38, 12) not null comment 'their quantity [unit of the items]',
    id_hash decimal(38, 0) not null comment 'sum of row_hash(landing_sequence, contract_item_id, part_number)',
    primary key (billing_period, usage_type)
) partitioned by (billing_period);
