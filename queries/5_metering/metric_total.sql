-- metric_total: what do the levels, or the windows, of a cycle come to?
--
-- grain:  contract_item_id, cycle_start, price_id, group_key
-- reads:  level_change, metric_window, contract_item, metric
-- rule:   a level counts for the share of the cycle that it lasts; windows are
--         aggregated once more; share_quantity / share_whole is the exact result

with level as (
    select
        level_change.contract_item_id,
        level_change.cycle_start,
        level_change.price_id,
        level_change.group_key,
        level_change.share_whole,
        sum(level_change.quantity) as full_quantity,
        sum(
            cast(level_change.quantity as decimal(76, 12))
            * cast(level_change.share_part as decimal(19, 0))
        ) as share_quantity
    from level_change
    group by
        level_change.contract_item_id,
        level_change.cycle_start,
        level_change.price_id,
        level_change.group_key,
        level_change.share_whole
),

ranked_window as (
    select
        metric_window.contract_item_id,
        metric_window.cycle_start,
        metric_window.price_id,
        metric_window.group_key,
        metric_window.quantity,
        row_number() over (
            partition by
                metric_window.contract_item_id,
                metric_window.cycle_start,
                metric_window.price_id,
                metric_window.group_key
            order by metric_window.quantity, metric_window.window_from
        ) as rank_from_below,
        count(*) over (
            partition by
                metric_window.contract_item_id,
                metric_window.cycle_start,
                metric_window.price_id,
                metric_window.group_key
        ) as window_count
    from metric_window
),

window_total as (
    select
        ranked_window.contract_item_id,
        ranked_window.cycle_start,
        ranked_window.price_id,
        ranked_window.group_key,
        case metric.window_aggregation
            when 'max' then max(ranked_window.quantity)
            when 'percentile'
                then min(
                    case
                        when
                            ranked_window.rank_from_below
                            >= metric.percentile_rank
                            * ranked_window.window_count
                            then ranked_window.quantity
                    end
                )
            else sum(ranked_window.quantity)
        end as quantity,
        case metric.window_aggregation when 'mean' then count(*) else 1 end
            as share_whole
    from ranked_window
    inner join contract_item
        on ranked_window.contract_item_id = contract_item.contract_item_id
    inner join metric
        on contract_item.product_id = metric.product_id
    group by
        ranked_window.contract_item_id,
        ranked_window.cycle_start,
        ranked_window.price_id,
        ranked_window.group_key,
        metric.window_aggregation
)

select
    level.contract_item_id,
    level.cycle_start,
    level.price_id,
    level.group_key,
    level.full_quantity,
    level.share_quantity,
    level.share_whole
from level

union all

select
    window_total.contract_item_id,
    window_total.cycle_start,
    window_total.price_id,
    window_total.group_key,
    window_total.quantity as full_quantity,
    cast(window_total.quantity as decimal(76, 12)) as share_quantity,
    window_total.share_whole
from window_total
