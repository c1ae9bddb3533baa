-- measured_usage: what does the usage of a metric come to in a cycle?
--
-- grain:  contract_item_id, cycle_start, price_id, group_key
-- reads:  metric, record_detail, level_change, metric_window, contract_item
-- rule:   a level counts for the share of the cycle that it lasts; windows are
--         aggregated once more; the result is rounded once, as declared

with counted as (
    select
        record_detail.contract_item_id,
        record_detail.cycle_start,
        record_detail.price_id,
        record_detail.group_key,
        count(*) as record_count,
        count(record_detail.guided_part) as part_count,
        sum(record_detail.quantity) as record_quantity,
        sum(record_detail.record_amount) as record_amount,
        sum(
            case
                when record_detail.guided_part is not null
                    then cast(
                        row_hash(
                            record_detail.landing_sequence,
                            record_detail.contract_item_id,
                            record_detail.guided_part
                        ) as decimal(38, 0)
                    )
            end
        ) as id_hash
    from metric
    inner join record_detail
        on metric.product_id = record_detail.product_id
    group by
        record_detail.contract_item_id,
        record_detail.cycle_start,
        record_detail.price_id,
        record_detail.group_key
),

level as (
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
),

total as (
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
),

-- A group whose records all change nothing has a total of zero.
in_group as (
    select
        total.contract_item_id,
        total.cycle_start,
        total.price_id,
        total.group_key
    from total

    union

    select
        counted.contract_item_id,
        counted.cycle_start,
        counted.price_id,
        counted.group_key
    from counted
),

exact as (
    select
        in_group.contract_item_id,
        in_group.cycle_start,
        in_group.price_id,
        in_group.group_key,
        metric.decimals,
        metric.rounding,
        coalesce(counted.record_count, 0) as record_count,
        coalesce(counted.part_count, 0) as part_count,
        coalesce(counted.record_quantity, 0) as record_quantity,
        coalesce(counted.record_amount, 0) as record_amount,
        coalesce(counted.id_hash, 0) as id_hash,
        coalesce(total.full_quantity, 0) as full_quantity,
        case
            when
                metric.negative_quantity = 'zero'
                and coalesce(total.share_quantity, 0) < 0
                then 0
            else coalesce(total.share_quantity, 0)
        end as share_quantity,
        coalesce(total.share_whole, 1) as share_whole
    from in_group
    inner join contract_item
        on in_group.contract_item_id = contract_item.contract_item_id
    inner join metric
        on contract_item.product_id = metric.product_id
    left join counted
        on in_group.contract_item_id = counted.contract_item_id
        and in_group.cycle_start = counted.cycle_start
        and in_group.price_id = counted.price_id
        and in_group.group_key = counted.group_key
    left join total
        on in_group.contract_item_id = total.contract_item_id
        and in_group.cycle_start = total.cycle_start
        and in_group.price_id = total.price_id
        and in_group.group_key = total.group_key
)

select
    exact.contract_item_id,
    exact.cycle_start,
    exact.price_id,
    exact.group_key,
    exact.record_count,
    exact.part_count,
    exact.record_quantity,
    exact.full_quantity,
    case
        when exact.decimals < 0
            then round_money(
                prorate(exact.share_quantity, 1, exact.share_whole),
                exact.decimals,
                exact.rounding
            )
        else
            round_ratio(
                exact.share_quantity,
                1,
                exact.share_whole,
                coalesce(exact.decimals, 12),
                exact.rounding
            )
    end as quantity,
    exact.record_amount,
    exact.id_hash
from exact
