-- level_event: by how much, and when, does usage change a level?
--
-- grain:  contract_item_id, group_key, cycle_start, price_id, event_number
-- reads:  metric, record_detail, item_change, item_day_change
-- rule:   a sum changes by the quantity of the record, unique items by one where
--         an item comes or goes

with change as (
    select
        record_detail.contract_item_id,
        record_detail.group_key,
        record_detail.cycle_start,
        record_detail.price_id,
        record_detail.usage_start,
        cast(
            local_date(record_detail.usage_start, record_detail.time_zone)
            as integer
        ) as effective_day,
        record_detail.landing_sequence,
        record_detail.part_number,
        record_detail.quantity
    from metric
    inner join record_detail
        on metric.product_id = record_detail.product_id
    where
        metric.aggregation = 'weighted_sum'
        or (
            metric.aggregation = 'sum'
            and (metric.carries_over or metric.proration <> 'none')
        )

    union all

    select
        item_change.contract_item_id,
        item_change.group_key,
        item_change.cycle_start,
        item_change.price_id,
        item_change.usage_start,
        cast(null as integer) as effective_day,
        item_change.landing_sequence,
        item_change.part_number,
        item_change.quantity
    from item_change

    union all

    select
        item_day_change.contract_item_id,
        item_day_change.group_key,
        item_day_change.cycle_start,
        item_day_change.price_id,
        item_day_change.usage_start,
        item_day_change.effective_day,
        item_day_change.landing_sequence,
        item_day_change.part_number,
        item_day_change.quantity
    from item_day_change
)

select
    change.contract_item_id,
    change.group_key,
    change.cycle_start,
    change.price_id,
    cast(row_number() over (
        partition by
            change.contract_item_id,
            change.group_key,
            change.cycle_start,
            change.price_id
        order by
            change.usage_start, change.landing_sequence, change.part_number
    ) as bigint) as event_number,
    change.usage_start,
    change.effective_day,
    change.quantity
from change
