-- group_key: a group that a price names has the group fields of its metric, each
-- group once.

with named as (
    select
        'price_matrix' as table_name,
        price_matrix.price_id,
        cast(null as integer) as tier_number,
        price_matrix.group_key
    from price_matrix

    union all

    select
        'capacity_limit' as table_name,
        capacity_limit.price_id,
        capacity_limit.tier_number,
        capacity_limit.group_key
    from capacity_limit
),

compared as (
    select
        named.table_name,
        named.price_id,
        named.tier_number,
        named.group_key,
        metric.group_fields,
        field_names(named.group_key) as names,
        field_names(metric.group_fields) as group_names,
        count(*) over (
            partition by
                named.table_name,
                named.price_id,
                named.tier_number,
                group_key(named.group_key, metric.group_fields)
        ) as alike
    from named
    inner join price
        on named.price_id = price.price_id
    left join metric
        on price.product_id = metric.product_id
)

select
    compared.table_name,
    compared.price_id,
    compared.tier_number,
    compared.group_key,
    case
        when compared.group_fields is null
            then 'its product has no metric with group_fields'
        when
            compared.names is null
            or not starts_with(trim(compared.group_key), '{')
            then 'is no JSON object'
        when compared.names <> compared.group_names
            then concat('the metric groups by ', compared.group_fields)
        else 'names a group that another row names, too'
    end as mistake
from compared
where
    compared.group_fields is null
    or compared.names is null
    or compared.names <> compared.group_names
    or compared.alike > 1
