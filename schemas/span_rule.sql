-- Where usage of a type counts that lasts over the end of a cycle or over a
-- change of an item or a price; by default where it starts.
create table span_rule (
    usage_type varchar not null references contract_item (usage_type) comment 'what was used',
    placed_by varchar not null comment 'start: whole, where it starts; end: whole, at the last instant before its end; split: in parts, in proportion to time',
    check (placed_by in ('start', 'end', 'split')),
    primary key (usage_type)
);
