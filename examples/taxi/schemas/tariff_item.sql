-- What a kind of trip is charged for; each vendor's contract has all of it.
create table tariff_item (
    usage_type varchar not null comment 'the kind of trip',
    product_id varchar not null comment 'what is priced, see price',
    part varchar not null comment 'the part of the fare that it is on the receipt: fare, extra, state_tax, improvement or congestion',
    usage_tag varchar comment 'only trips that bear this tag; null: all',
    quantity_field varchar not null comment 'what is metered: records, quantity (miles) or seconds',
    block_quantity decimal(38, 12) comment 'a block begun counts whole [mi or s]; null: as recorded',
    price_field varchar comment 'where the record carries its price',
    valid_from timestamp not null comment 'in force from, inclusive',
    check (part in ('fare', 'extra', 'state_tax', 'improvement', 'congestion')),
    primary key (usage_type, product_id)
);
