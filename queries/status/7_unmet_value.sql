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

unmet as (
    select
        lacking_field.table_name,
        lacking_field.rule,
        lacking_field.asks_for
    from lacking_field

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
