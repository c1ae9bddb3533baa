-- unmet_value: values that rules ask for and no record has, and fields that records lack
with tag_value as (
    select
        tag_rule_value.tag,
        tag_rule_value.usage_type,
        tag_rule_value.field,
        tag_rule_value.field_value
    from tag_rule_value
    where exists (
        select 1
        from usage
        where usage.usage_type = tag_rule_value.usage_type
    )
),

rule_value as (
    select distinct
        dimension_rule.price_id,
        dimension_rule.field,
        dimension_rule.field_value
    from dimension_rule
    where
        dimension_rule.field_value is not null
        and exists (
            select 1
            from record_detail
            where record_detail.price_id = dimension_rule.price_id
        )
),

met_rule_value as (
    select distinct
        rule_value.price_id,
        rule_value.field,
        rule_value.field_value
    from rule_value
    inner join record_detail
        on rule_value.price_id = record_detail.price_id
    inner join usage_record
        on record_detail.landing_sequence = usage_record.landing_sequence
        and field_is(
            usage_record.fields, rule_value.field, rule_value.field_value
        )
),

threshold_field as (
    select distinct
        dimension_rule.price_id,
        dimension_rule.field
    from dimension_rule
    where dimension_rule.threshold is not null
        and dimension_rule.field is not null
),

group_field as (
    select
        metric.product_id,
        trim(unnest(string_to_array(metric.group_fields, ','))) as field
    from metric
    where metric.group_fields is not null
),

met_group as (
    select
        price.product_id,
        metered_usage.group_key,
        sum(metered_usage.record_count) as record_count
    from metric
    inner join price
        on metric.product_id = price.product_id
    inner join metered_usage
        on price.price_id = metered_usage.price_id
    where
        metric.group_fields is not null
        and metered_usage.record_count > 0
    group by
        price.product_id,
        metered_usage.group_key
),

unmet as (
    select
        'metric' as table_name,
        group_field.product_id as rule,
        concat(
            group_field.field,
            ', which records lack: ',
            sum(met_group.record_count)
        ) as asks_for
    from group_field
    inner join met_group
        on group_field.product_id = met_group.product_id
        and strpos(
            met_group.group_key, concat('"', group_field.field, '":null')
        ) > 0
    group by
        group_field.product_id,
        group_field.field

    union all

    select
        'price_matrix' as table_name,
        matrix_price.price_id as rule,
        matrix_price.group_key as asks_for
    from matrix_price
    where
        exists (
            select 1
            from metered_usage
            where
                metered_usage.price_id = matrix_price.price_id
                and metered_usage.record_count > 0
        )
        and not exists (
            select 1
            from metered_usage
            where
                metered_usage.price_id = matrix_price.price_id
                and metered_usage.group_key = matrix_price.group_key
        )

    union all

    select distinct
        'capacity_limit' as table_name,
        group_limit.price_id as rule,
        group_limit.group_key as asks_for
    from group_limit
    where
        exists (
            select 1
            from metered_usage
            where
                metered_usage.price_id = group_limit.price_id
                and metered_usage.record_count > 0
        )
        and not exists (
            select 1
            from metered_usage
            where
                metered_usage.price_id = group_limit.price_id
                and metered_usage.group_key = group_limit.group_key
        )

    union all

    select distinct
        'tag_rule_value' as table_name,
        tag_value.tag as rule,
        concat(tag_value.field, ' ', tag_value.field_value) as asks_for
    from tag_value
    where not exists (
        select 1
        from usage
        where
            usage.usage_type = tag_value.usage_type
            and field_is(usage.fields, tag_value.field, tag_value.field_value)
    )

    union all

    select
        'dimension_rule' as table_name,
        threshold_field.price_id as rule,
        concat(threshold_field.field, ', which records lack: ', count(*))
            as asks_for
    from threshold_field
    inner join record_detail
        on threshold_field.price_id = record_detail.price_id
    inner join usage_record
        on record_detail.landing_sequence = usage_record.landing_sequence
    where field_number(usage_record.fields, threshold_field.field) is null
    group by
        threshold_field.price_id,
        threshold_field.field

    union all

    select
        'metric' as table_name,
        metric.product_id as rule,
        concat(
            'add or remove in ', metric.operation_field,
            ', which says ',
            field_text(usage_record.fields, metric.operation_field),
            ': ', count(*)
        ) as asks_for
    from metric
    inner join record_detail
        on metric.product_id = record_detail.product_id
    inner join usage_record
        on record_detail.landing_sequence = usage_record.landing_sequence
    where
        metric.operation_field is not null
        and field_text(usage_record.fields, metric.operation_field)
        not in ('add', 'remove')
    group by
        metric.product_id,
        metric.operation_field,
        field_text(usage_record.fields, metric.operation_field)

    union all

    select
        'dimension_rule' as table_name,
        rule_value.price_id as rule,
        concat(rule_value.field, ' ', rule_value.field_value) as asks_for
    from rule_value
    where not exists (
        select 1
        from met_rule_value
        where
            met_rule_value.price_id = rule_value.price_id
            and met_rule_value.field = rule_value.field
            and met_rule_value.field_value = rule_value.field_value
    )
)

select
    unmet.table_name,
    unmet.rule,
    unmet.asks_for
from unmet
order by
    unmet.table_name,
    unmet.rule,
    unmet.asks_for
