-- counted_apart: prices that change within a cycle, and what each version counts anew
with version as (
    select
        metered_usage.contract_item_id,
        metered_usage.cycle_start,
        price.product_id,
        price.price_id,
        case
            when metric.aggregation in ('max', 'latest', 'percentile')
                or (
                    metric.aggregation = 'unique_count'
                    and metric.proration = 'none'
                )
                then metric.aggregation
            when metric.decimals is not null then 'decimals of the metric'
            when price_modifier.convert_rounding <> 'none'
                then 'convert_rounding'
            when price.charge_model in ('capacity', 'volume', 'graduated')
                and not coalesce(price_modifier.tiers_go_on, false)
                then concat('tiers of ', price.charge_model)
        end as counted
    from price
    inner join metered_usage
        on price.price_id = metered_usage.price_id
    left join metric
        on price.product_id = metric.product_id
    left join price_modifier
        on price.price_id = price_modifier.price_id
    where metered_usage.record_count > 0
)

select
    version.contract_item_id,
    version.cycle_start,
    version.product_id,
    count(distinct version.price_id) as versions,
    max(version.counted) as counted_by_each
from version
where version.counted is not null
group by
    version.contract_item_id,
    version.cycle_start,
    version.product_id
having count(distinct version.price_id) > 1
order by
    version.contract_item_id,
    version.cycle_start
