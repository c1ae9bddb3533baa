-- unseen_usage: usage types, units and sources that rules name and no record has
with named as (
    select distinct
        'contract_item' as table_name,
        'usage_type' as column_name,
        contract_item.usage_type as name
    from contract_item
    where contract_item.usage_type is not null

    union all

    select distinct
        'usage_filter' as table_name,
        'usage_type' as column_name,
        usage_filter.usage_type as name
    from usage_filter

    union all

    select distinct
        'close_limit' as table_name,
        'unit' as column_name,
        close_limit.unit as name
    from close_limit
    where close_limit.unit is not null

    union all

    select distinct
        'usage_filter' as table_name,
        'source' as column_name,
        usage_filter.source as name
    from usage_filter
    where usage_filter.source is not null

    union all

    select
        'identity_rule' as table_name,
        'source' as column_name,
        identity_rule.source as name
    from identity_rule
),

unseen as (
    select
        named.table_name,
        named.column_name,
        named.name
    from named
    where
        named.column_name = 'usage_type'
        and not exists (
            select 1 from landing where landing.usage_type = named.name
        )

    union all

    select
        named.table_name,
        named.column_name,
        named.name
    from named
    where
        named.column_name = 'unit'
        and not exists (select 1 from landing where landing.unit = named.name)

    union all

    select
        named.table_name,
        named.column_name,
        named.name
    from named
    where
        named.column_name = 'source'
        and not exists (
            select 1 from usage_record where usage_record.source = named.name
        )
)

select
    unseen.table_name,
    unseen.column_name,
    unseen.name
from unseen
where exists (select 1 from landing) -- before the first, nothing can be missed
order by
    unseen.table_name,
    unseen.column_name,
    unseen.name
