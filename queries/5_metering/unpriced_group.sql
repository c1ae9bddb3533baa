-- unpriced_group: which usage belongs to a group that its price does not name?
--
-- grain:  landing_sequence, contract_item_id, part_number, suspense_reason
-- reads:  price, contract_item, metric, guided_usage, usage_record, matrix_price,
--         group_limit
-- rule:   a matrix price without a unit_amount prices the groups it lists, a
--         capacity price with limits those that any of its tiers limits; usage
--         that counts items has to name one; what stands in closed books does
--         not wait

with asking as (
    select
        price.product_id,
        price.price_id,
        price.charge_model,
        price.valid_from,
        price.valid_to,
        metric.group_fields
    from price
    inner join metric
        on price.product_id = metric.product_id
    where
        (price.charge_model = 'matrix' and price.unit_amount is null)
        or (
            price.charge_model = 'capacity'
            and exists (
                select 1
                from group_limit
                where group_limit.price_id = price.price_id
            )
        )
),

grouped as (
    select
        guided_usage.landing_sequence,
        guided_usage.contract_item_id,
        guided_usage.part_number,
        asking.product_id,
        asking.price_id,
        asking.charge_model,
        guided_usage.quantity,
        group_key(usage_record.fields, asking.group_fields) as group_key
    from asking
    inner join contract_item
        on asking.product_id = contract_item.product_id
        and contract_item.unpriced_usage = 'suspend'
    inner join guided_usage
        on contract_item.contract_item_id = guided_usage.contract_item_id
        and (
            guided_usage.usage_start >= asking.valid_from
            or guided_usage.part_end > asking.valid_from
        )
        and (
            asking.valid_to is null
            or guided_usage.usage_start < asking.valid_to
        )
    inner join usage_record
        on guided_usage.landing_sequence = usage_record.landing_sequence
    where not guided_usage.is_closed
),

named as (
    select
        matrix_price.price_id,
        matrix_price.group_key
    from matrix_price

    union

    select
        group_limit.price_id,
        group_limit.group_key
    from group_limit
)

select
    grouped.landing_sequence,
    grouped.contract_item_id,
    grouped.part_number,
    grouped.quantity,
    concat(
        case grouped.charge_model
            when 'capacity' then 'no limit for '
            else 'no price for '
        end,
        grouped.product_id,
        ' ',
        grouped.group_key
    ) as suspense_reason
from grouped
where not exists (
    select 1
    from named
    where
        named.price_id = grouped.price_id
        and named.group_key = grouped.group_key
)

union all

select
    guided_usage.landing_sequence,
    guided_usage.contract_item_id,
    guided_usage.part_number,
    guided_usage.quantity,
    concat('no ', metric.item_field, ' for ', metric.product_id)
        as suspense_reason
from metric
inner join contract_item
    on metric.product_id = contract_item.product_id
inner join guided_usage
    on contract_item.contract_item_id = guided_usage.contract_item_id
inner join usage_record
    on guided_usage.landing_sequence = usage_record.landing_sequence
where
    metric.aggregation = 'unique_count'
    and not guided_usage.is_closed
    and field_text(usage_record.fields, metric.item_field) is null
