-- item_day_change: on which day does an item come or go, of those counted by days?
--
-- grain:  contract_item_id, group_key, landing_sequence, part_number
-- reads:  metric, record_detail
-- rule:   an item counts on each day on which it was there, so it goes at the end
--         of its day, and what happens within a day is one; with carries_over the
--         items of earlier cycles are still there, else each cycle and price
--         begins without

with item_event as (
    select
        record_detail.contract_item_id,
        record_detail.group_key,
        record_detail.cycle_start,
        record_detail.price_id,
        record_detail.usage_start,
        record_detail.landing_sequence,
        record_detail.item_key,
        case
            when not metric.carries_over then record_detail.cycle_start
        end as since_cycle,
        case
            when not metric.carries_over then record_detail.price_id
        end as since_price,
        cast(
            local_date(record_detail.usage_start, record_detail.time_zone)
            as integer
        ) as local_day,
        record_detail.is_removal
    from metric
    inner join record_detail
        on metric.product_id = record_detail.product_id
    where
        metric.aggregation = 'unique_count'
        and metric.window_interval is null
        and metric.proration = 'days'
        and record_detail.item_key is not null
),

item_day as (
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
        item_event.local_day
),

item_state as (
    select
        item_day.*,
        coalesce(
            lag(item_day.is_there) over (
                partition by
                    item_day.contract_item_id,
                    item_day.group_key,
                    item_day.item_key,
                    item_day.since_cycle,
                    item_day.since_price
                order by item_day.usage_start, item_day.landing_sequence
            ),
            false
        ) as was_there
    from item_day
)

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
where item_state.is_added and not item_state.was_there

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
    and (item_state.was_there or item_state.is_added)
