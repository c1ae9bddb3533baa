-- metric_window: what do the values of a window of time come to?
--
-- grain:  contract_item_id, cycle_start, price_id, group_key, window_from
-- reads:  metric, record_detail
-- rule:   windows are those of the contract's clock; a metric without windows
--         has one, the cycle; of values at one time the last to arrive is latest

with windowed as (
    select
        record_detail.contract_item_id,
        record_detail.cycle_start,
        record_detail.price_id,
        record_detail.group_key,
        metric.aggregation,
        metric.percentile_rank,
        case metric.window_interval
            when 'day'
                then billing_cycles(
                    'day',
                    null,
                    null,
                    null,
                    null,
                    record_detail.time_zone,
                    record_detail.usage_start,
                    null,
                    record_detail.usage_start
                )[1]['full_start']
            when 'hour'
                then record_detail.usage_start - (
                    local_time(record_detail.usage_start, record_detail.time_zone)
                    - date_trunc(
                        'hour',
                        local_time(
                            record_detail.usage_start, record_detail.time_zone
                        )
                    )
                )
            when 'minute'
                then record_detail.usage_start - (
                    local_time(record_detail.usage_start, record_detail.time_zone)
                    - date_trunc(
                        'minute',
                        local_time(
                            record_detail.usage_start, record_detail.time_zone
                        )
                    )
                )
            else record_detail.cycle_start
        end as window_from,
        record_detail.usage_start,
        record_detail.landing_sequence,
        record_detail.part_number,
        record_detail.item_key,
        record_detail.quantity
    from metric
    inner join record_detail
        on metric.product_id = record_detail.product_id
    where
        metric.window_interval is not null
        or (
            metric.aggregation in ('sum', 'max', 'latest', 'percentile')
            and not metric.carries_over
            and metric.proration = 'none'
        )
),

placed as (
    select
        windowed.contract_item_id,
        windowed.cycle_start,
        windowed.price_id,
        windowed.group_key,
        windowed.window_from,
        windowed.aggregation,
        windowed.percentile_rank,
        windowed.item_key,
        windowed.quantity,
        row_number() over (
            partition by
                windowed.contract_item_id,
                windowed.cycle_start,
                windowed.price_id,
                windowed.group_key,
                windowed.window_from
            order by
                windowed.usage_start desc,
                windowed.landing_sequence desc,
                windowed.part_number desc
        ) as recency,
        row_number() over (
            partition by
                windowed.contract_item_id,
                windowed.cycle_start,
                windowed.price_id,
                windowed.group_key,
                windowed.window_from
            order by
                windowed.quantity,
                windowed.landing_sequence,
                windowed.part_number
        ) as rank_from_below,
        count(*) over (
            partition by
                windowed.contract_item_id,
                windowed.cycle_start,
                windowed.price_id,
                windowed.group_key,
                windowed.window_from
        ) as value_count
    from windowed
)

select
    placed.contract_item_id,
    placed.cycle_start,
    placed.price_id,
    placed.group_key,
    placed.window_from,
    case placed.aggregation
        when 'sum' then sum(placed.quantity)
        when 'max' then max(placed.quantity)
        when 'latest'
            then max(case when placed.recency = 1 then placed.quantity end)
        when 'unique_count'
            then cast(count(distinct placed.item_key) as decimal(38, 12))
        when 'percentile'
            then min(
                case
                    when
                        placed.rank_from_below
                        >= placed.percentile_rank * placed.value_count
                        then placed.quantity
                end
            )
    end as quantity
from placed
group by
    placed.contract_item_id,
    placed.cycle_start,
    placed.price_id,
    placed.group_key,
    placed.window_from,
    placed.aggregation
