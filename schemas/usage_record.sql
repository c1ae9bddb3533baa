-- One usage record as received. Columns that a source sends and this table
-- lacks are kept as JSON in `attributes`; add a column to give one a type. To
-- the rules both are fields of the record. A query finds them all in `fields`,
-- which no file holds: field_number(usage_record.fields, 'distance').
create table usage_record (
    landing_sequence bigint not null comment 'landing id x 1,000,000,000 + row; ids are given when a landing begins, so a long one may end after later ones',
    landing_id bigint not null comment 'number of its landing',
    source varchar not null default 'usage' comment 'the system that counted',
    transaction_id varchar not null comment 'the record''s identity within its source',
    usage_type varchar not null comment 'what was used',
    usage_start timestamp not null comment 'event time, inclusive',
    usage_end timestamp comment 'event time, exclusive; null where the record has none',
    contract_id varchar comment 'identifier: the contract itself',
    account_id varchar comment 'identifier: an account assigned to a contract',
    vin varchar comment 'identifier: a vehicle assigned to a contract',
    quantity decimal(38, 12) comment 'what was counted [unit]',
    unit varchar comment 'unit of the quantity',
    unit_price decimal(38, 12) comment 'price the record carries [currency per unit]',
    distance decimal(38, 12) comment 'distance driven [km]',
    attributes varchar comment 'all other fields of the record [JSON object]',
    id_hash bigint not null comment 'row_hash(source, transaction_id), by which records are found that came again or were decided about',
    usage_date date not null comment 'UTC day of usage_start',
    check (usage_end >= usage_start),
    primary key (landing_sequence)
);
