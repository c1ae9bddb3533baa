-- record_detail: what else does a record say, where its quantity is not enough?
--
-- grain:  landing_sequence, contract_item_id, part_number
-- reads:  metric, price, known_model, contract_item, contract, priced_usage,
--         usage_record
-- rule:   only records of products that have a metric or are priced record by
--         record; a record belongs to the group that its fields name

with detailed_product as (
    select metric.product_id
    from metric

    union

    select price.product_id
    from price
    inner join known_model
        on price.charge_model = known_model.charge_model
    where known_model.prices = 'detail'
),

detailed_item as (
    select
        contract_item.contract_item_id,
        contract_item.product_id,
        contract.time_zone,
        metric.group_fields,
        metric.item_field,
        metric.operation_field
    from detailed_product
    inner join contract_item
        on detailed_product.product_id = contract_item.product_id
    inner join contract
        on contract_item.contract_id = contract.contract_id
    left join metric
        on contract_item.product_id = metric.product_id
)

select
    priced_usage.landing_sequence,
    priced_usage.contract_item_id,
    priced_usage.part_number,
    priced_usage.cycle_start,
    priced_usage.usage_start,
    case
        when priced_usage.part_end is null then usage_record.usage_start
        else priced_usage.usage_start
    end as session_start,
    priced_usage.guided_part,
    priced_usage.price_id,
    detailed_item.product_id,
    detailed_item.time_zone,
    coalesce(
        group_key(usage_record.fields, detailed_item.group_fields), ''
    ) as group_key,
    field_text(usage_record.fields, detailed_item.item_field) as item_key,
    coalesce(
        field_text(usage_record.fields, detailed_item.operation_field)
        = 'remove',
        false
    ) as is_removal,
    priced_usage.quantity,
    priced_usage.record_amount,
    priced_usage.billing_period
from detailed_item
inner join priced_usage
    on detailed_item.contract_item_id = priced_usage.contract_item_id
inner join usage_record
    on priced_usage.landing_sequence = usage_record.landing_sequence
