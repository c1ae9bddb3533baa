-- item_change: when does an item come or go, of those that are counted?
--
-- grain:  contract_item_id, group_key, landing_sequence
-- reads:  metric, record_detail
-- rule:   an item that is there already, or is not there to go, changes nothing;
--         with carries_over the items of earlier cycles are still there, else each
--         cycle and price begins without

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
        not record_detail.is_removal as is_there
    from metric
    inner join record_detail
        on metric.product_id = record_detail.product_id
    where
        metric.aggregation = 'unique_count'
        and metric.window_interval is null
        and metric.proration <> 'days'
        and record_detail.item_key is not null
),

item_state as (
    select
        item_event.*,
        coalesce(
            lag(item_event.is_there) over (
                partition by
                    item_event.contract_item_id,
                    item_event.group_key,
                    item_event.item_key,
                    item_event.since_cycle,
                    item_event.since_price
                order by item_event.usage_start, item_event.landing_sequence
            ),
            false
        ) as was_there
    from item_event
)

select
    item_state.contract_item_id,
    item_state.group_key,
    item_state.cycle_start,
    item_state.price_id,
    item_state.usage_start,
    item_state.landing_sequence,
    cast(case when item_state.is_there then 1 else 2 end as integer)
        as part_number,
    cast(case when item_state.is_there then 1 else -1 end as decimal(38, 12))
        as quantity
from item_state
where item_state.is_there <> item_state.was_there
