-- Which usage draws from which free tier.
create table quota_rule (
    quota_id varchar not null comment 'the quota',
    usage_type_pattern varchar not null comment 'LIKE pattern of product/usage type/operation',
    primary key (quota_id, usage_type_pattern)
);
