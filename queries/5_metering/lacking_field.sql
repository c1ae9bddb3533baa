-- lacking_field: which fields that prices and metrics read do records lack?
--
-- grain:  table_name, rule, asks_for
-- reads:  dimension_rule, metric, price, metered_usage, record_detail,
--         usage_record
-- rule:   a group field, a field of a threshold, and one that says add or remove;
--         asks_for ends with how many records it is

with threshold_field as (
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
)

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
