-- level_change: how does a level move in a cycle, and for which share of it?
--
-- grain:  contract_item_id, cycle_start, price_id, group_key, change_number
-- reads:  level_event, priced_cycle, contract_item, contract, metric
-- rule:   what is carried in comes first, for the whole time the price counts; a
--         change counts from its day, or its instant, to the end of that time;
--         by days over the days of the whole cycle, a mean level over the time
--         the price counts

with level_total as (
    select
        level_event.contract_item_id,
        level_event.group_key,
        level_event.cycle_start,
        level_event.price_id,
        sum(level_event.quantity) as quantity
    from level_event
    group by
        level_event.contract_item_id,
        level_event.group_key,
        level_event.cycle_start,
        level_event.price_id
),

level_group as (
    select distinct
        level_total.contract_item_id,
        level_total.group_key
    from level_total
),

level_cycle as (
    select
        priced_cycle.contract_item_id,
        level_group.group_key,
        priced_cycle.cycle_start,
        priced_cycle.price_id,
        priced_cycle.version_number,
        priced_cycle.charge_from,
        priced_cycle.charge_to,
        case
            when metric.aggregation = 'weighted_sum' then 'mean'
            else metric.proration
        end as proration,
        metric.carries_over,
        cast(priced_cycle.charge_to as bigint)
        - cast(priced_cycle.charge_from as bigint) as microseconds,
        cast(priced_cycle.full_end as bigint)
        - cast(priced_cycle.full_start as bigint) as full_microseconds,
        cast(
            local_date(priced_cycle.charge_to, contract.time_zone) as integer
        ) as end_day,
        priced_cycle.days,
        priced_cycle.full_days,
        -- What all that the item has used before comes to.
        coalesce(
            sum(coalesce(level_total.quantity, 0)) over (
                partition by
                    priced_cycle.contract_item_id,
                    level_group.group_key
                order by
                    priced_cycle.charge_from,
                    priced_cycle.price_id <> 'none',
                    priced_cycle.version_number
                rows between unbounded preceding and 1 preceding
            ),
            0
        ) as level_before
    from level_group
    inner join priced_cycle
        on level_group.contract_item_id = priced_cycle.contract_item_id
    inner join contract_item
        on priced_cycle.contract_item_id = contract_item.contract_item_id
    inner join contract
        on contract_item.contract_id = contract.contract_id
    inner join metric
        on contract_item.product_id = metric.product_id
    left join level_total
        on priced_cycle.contract_item_id = level_total.contract_item_id
        and level_group.group_key = level_total.group_key
        and priced_cycle.cycle_start = level_total.cycle_start
        and priced_cycle.price_id = level_total.price_id
),

change as (
    select
        level_cycle.contract_item_id,
        level_cycle.cycle_start,
        level_cycle.price_id,
        level_cycle.group_key,
        cast(0 as bigint) as change_number,
        level_cycle.level_before as quantity,
        level_cycle.proration,
        level_cycle.days as days_left,
        level_cycle.full_days,
        level_cycle.microseconds as microseconds_left,
        level_cycle.microseconds,
        level_cycle.full_microseconds
    from level_cycle
    where level_cycle.carries_over and level_cycle.level_before <> 0

    union all

    select
        level_event.contract_item_id,
        level_event.cycle_start,
        level_event.price_id,
        level_event.group_key,
        level_event.event_number as change_number,
        level_event.quantity,
        level_cycle.proration,
        greatest(
            least(
                level_cycle.end_day - level_event.effective_day, level_cycle.days
            ),
            0
        ) as days_left,
        level_cycle.full_days,
        cast(level_cycle.charge_to as bigint)
        - cast(level_event.usage_start as bigint) as microseconds_left,
        level_cycle.microseconds,
        level_cycle.full_microseconds
    from level_event
    inner join level_cycle
        on level_event.contract_item_id = level_cycle.contract_item_id
        and level_event.group_key = level_cycle.group_key
        and level_event.cycle_start = level_cycle.cycle_start
        and level_event.price_id = level_cycle.price_id
)

select
    change.contract_item_id,
    change.cycle_start,
    change.price_id,
    change.group_key,
    change.change_number,
    change.quantity,
    case change.proration
        when 'none' then 1
        when 'days' -- a cycle within a day is a whole one
            then case change.full_days when 0 then 1 else change.days_left end
        else change.microseconds_left
    end as share_part,
    case change.proration
        when 'days' then greatest(change.full_days, 1)
        when 'time' then change.full_microseconds
        when 'mean' then change.microseconds
        else 1
    end as share_whole
from change
