-- The list rate of each product, usage type and operation in a month.
create table tariff (
    usage_type varchar not null comment 'product/usage type/operation',
    valid_from timestamp not null comment 'in force from, inclusive',
    valid_to timestamp not null comment 'in force to, exclusive',
    unit_amount decimal(38, 12) comment 'list rate; null: the record carries its price [USD per unit]',
    primary key (usage_type, valid_from)
);
