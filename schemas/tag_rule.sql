-- Tags that usage bears by what its fields say; contract items ask for them.
create table tag_rule (
    tag varchar not null comment 'the tag, such as eu or rest',
    usage_type varchar not null references contract_item (usage_type) comment 'usage of this type',
    tag_group varchar not null comment 'of the tags of a group usage bears the first that fits',
    position integer not null comment 'order within the group',
    primary key (tag, usage_type)
);
