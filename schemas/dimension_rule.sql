-- The rules of a dimension price. In each group of rules a record costs (largest
-- flat amount + flat amount of the threshold its field reaches) x product of the
-- rates x quantity, + the flat amount of the threshold its quantity reaches.
create table dimension_rule (
    price_id varchar not null references price (price_id) comment 'the price',
    rule_group varchar not null comment 'rules of a group are combined, groups are added',
    rule_number integer not null comment 'from 1',
    field varchar comment 'field of the record that is looked at; null: the record as such, or for a threshold its quantity',
    field_value varchar comment 'the rule holds for this value of the field; null: for all, or the rule is a threshold',
    threshold decimal(32, 12) comment 'the rule holds from this value on, unless a higher one does; null: no threshold',
    cost_type varchar not null comment 'flat or rate',
    cost decimal(28, 12) not null comment 'flat: [currency]; rate: a factor',
    check (cost_type in ('flat', 'rate')),
    check (field_value is null or (field is not null and threshold is null)),
    primary key (price_id, rule_group, rule_number)
);
