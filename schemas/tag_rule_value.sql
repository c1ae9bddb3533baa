-- What the fields of usage have to say to bear a tag; without rows a tag fits all.
create table tag_rule_value (
    tag varchar not null comment 'the tag',
    usage_type varchar not null comment 'usage of this type',
    entry_number integer not null comment '0: every field has to have one of its values; 1 and more: usage whose every field of one such number has one of its values does not fit',
    field varchar not null comment 'field of the record',
    field_value varchar not null comment 'a value of it',
    check (entry_number >= 0),
    foreign key (tag, usage_type) references tag_rule (tag, usage_type),
    primary key (tag, usage_type, entry_number, field, field_value)
);
