-- metric_window: what do the values of a window of time come to?
--
-- grain:  contract_item_id, cycle_start, price_id, group_key, window_from
-- reads:  metric, record_detail
-- rule:   windows are those of the contract's clock; a metric without windows
--         has one, the cycle; of values at one time the last to arrive is latest

with windowed as (
    select
        record_detail.contract_item_id,
        record_detail.price_id,
        record_detail.group_key,
        metric.aggregation,
        metric.percentile_rank,
        metric.window_interval,
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
                )[1]
        end as local_day,
        local_time(record_detail.usage_start, record_detail.time_zone)
            as local_start,
        record_detail.cycle_start,
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

window_of_value as (
    select
        windowed.*,
        case windowed.window_interval
            when 'day' then windowed.local_day['full_start']
            when 'hour'
                then windowed.usage_start - (
                    windowed.local_start
                    - date_trunc('hour', windowed.local_start)
                )
            when 'minute'
                then windowed.usage_start - (
                    windowed.local_start
                    - date_trunc('minute', windowed.local_start)
                )
            else windowed.cycle_start
        end as window_from
    from windowed
),

placed as (
    select
        window_of_value.*,
        case window_of_value.window_interval
            when 'day' then window_of_value.local_day['full_end']
            when 'hour' then window_of_value.window_from + interval '1 hour'
            when 'minute' then window_of_value.window_from + interval '1 minute'
        end as window_to,
        row_number() over (
            partition by
                window_of_value.contract_item_id,
                window_of_value.cycle_start,
                window_of_value.price_id,
                window_of_value.group_key,
                window_of_value.window_from
            order by
                window_of_value.usage_start desc,
                window_of_value.landing_sequence desc,
                window_of_value.part_number desc
        ) as recency,
        row_number() over (
            partition by
                window_of_value.contract_item_id,
                window_of_value.cycle_start,
                window_of_value.price_id,
                window_of_value.group_key,
                window_of_value.window_from
            order by
                window_of_value.quantity,
                window_of_value.landing_sequence,
                window_of_value.part_number
        ) as rank_from_below,
        count(*) over (
            partition by
                window_of_value.contract_item_id,
                window_of_value.cycle_start,
                window_of_value.price_id,
                window_of_value.group_key,
                window_of_value.window_from
        ) as value_count
    from window_of_value
)

select
    placed.contract_item_id,
    placed.cycle_start,
    placed.price_id,
    placed.group_key,
    placed.window_from,
    placed.window_to,
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
    placed.window_to,
    placed.aggregation
