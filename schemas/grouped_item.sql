-- The items of which a row of a statement adds up records.
create table grouped_item (
    contract_item_id varchar not null comment 'the item',
    statement_grain varchar not null comment 'day: the records of a local day; line: all of the line',
    primary key (contract_item_id)
);
