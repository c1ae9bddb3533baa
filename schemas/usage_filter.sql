-- Usage that is left out on purpose.
create table usage_filter (
    filter_rule varchar not null comment 'the rule''s name',
    usage_type varchar not null comment 'usage of this type',
    source varchar comment 'from this source; null: from any',
    primary key (filter_rule)
);
