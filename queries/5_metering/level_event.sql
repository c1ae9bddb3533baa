-- level_event: by how much, and when, does usage change a level?
--
-- grain:  contract_item_id, group_key, cycle_start, price_id, event_number
-- reads:  metric, record_detail
-- rule:   a sum changes by the quantity of the record; unique items by one where
--         an item comes or goes, an item that is there already changes nothing;
--         prorated by days an item counts on each day on which it was there, so
--         it goes at the end of its day, and what happens within a day is one
--
-- With carries_over the items of earlier cycles are still there, else each cycle
-- begins without.

with item_event as (
    select
        record_detail.contract_item_id,
        record_detail.group_key,
        record_detail.cycle_start,
        record_detail.price_id,
        record_detail.landing_sequence,
        record_detail.usage_start,
        record_detail.item_key,
        case
            when metric.carries_over then null
            else record_detail.cycle_start
        end as since_cycle,
        case
            when metric.carries_over then null else record_detail.price_id
        end as since_price,
        case
            when metric.proration = 'days'
                then cast(
                    local_date(
                        record_detail.usage_start, record_detail.time_zone
                    ) as integer
                )
        end as local_day,
        record_detail.is_removal
    from metric
    inner join record_detail
        on metric.product_id = record_detail.product_id
    where
        metric.aggregation = 'unique_count'
        and metric.window_interval is null
        and record_detail.item_key is not null
),

-- The last event of an item at a time: of a day, or itself.
item_time as (
    select
        item_event.contract_item_id,
        item_event.group_key,
        item_event.cycle_start,
        item_event.price_id,
        item_event.item_key,
        item_event.since_cycle,
        item_event.since_price,
        item_event.local_day,
        max(item_event.usage_start) as usage_start,
        max(item_event.landing_sequence) as landing_sequence,
        bool_or(not item_event.is_removal) as is_added,
        not last_value(
            item_event.is_removal
            order by item_event.usage_start, item_event.landing_sequence
        ) as is_there
    from item_event
    group by
        item_event.contract_item_id,
        item_event.group_key,
        item_event.cycle_start,
        item_event.price_id,
        item_event.item_key,
        item_event.since_cycle,
        item_event.since_price,
        item_event.local_day,
        case when item_event.local_day is null then item_event.landing_sequence end
),

item_state as (
    select
        item_time.contract_item_id,
        item_time.group_key,
        item_time.cycle_start,
        item_time.price_id,
        item_time.usage_start,
        item_time.landing_sequence,
        item_time.local_day,
        item_time.is_added,
        item_time.is_there,
        coalesce(
            lag(item_time.is_there) over (
                partition by
                    item_time.contract_item_id,
                    item_time.group_key,
                    item_time.item_key,
                    item_time.since_cycle,
                    item_time.since_price
                order by item_time.usage_start, item_time.landing_sequence
            ),
            false
        ) as was_there
    from item_time
),

change as (
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
        item_state.contract_item_id,
        item_state.group_key,
        item_state.cycle_start,
        item_state.price_id,
        item_state.usage_start,
        item_state.local_day as effective_day,
        item_state.landing_sequence,
        cast(1 as integer) as part_number,
        cast(1 as decimal(38, 12)) as quantity
    from item_state
    where
        not item_state.was_there
        and (
            item_state.is_there
            or (item_state.is_added and item_state.local_day is not null)
        )

    union all

    select
        item_state.contract_item_id,
        item_state.group_key,
        item_state.cycle_start,
        item_state.price_id,
        item_state.usage_start,
        item_state.local_day + 1 as effective_day,
        item_state.landing_sequence,
        cast(2 as integer) as part_number,
        cast(-1 as decimal(38, 12)) as quantity
    from item_state
    where
        not item_state.is_there
        and (
            item_state.was_there
            or (item_state.is_added and item_state.local_day is not null)
        )
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
