-- What the fields of usage have to say to bear a tag; without rows a tag fits all.
create table tag_rule_value (
    tag varchar not null comment 'the tag',
    usage_type varchar not null comment 'usage of this type',
    kind varchar not null default 'asks' comment 'asks: each field that is asked for has to have one of its values; excludes: usage does not fit if each field of an entry has one of its values',
    entry_number integer not null default 1 comment 'of what excludes: the fields of one number are an entry',
    field varchar not null comment 'field of the record',
    field_value varchar not null comment 'a value of it',
    check (entry_number >= 1),
    foreign key (tag, usage_type) references tag_rule (tag, usage_type),
    check (kind in ('asks', 'excludes')),
    check (kind = 'excludes' or entry_number = 1),
    primary key (tag, usage_type, kind, entry_number, field, field_value)
);
