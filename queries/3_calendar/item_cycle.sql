-- item_cycle: which price is in force for an item in which part of a cycle?
--
-- grain:  contract_item_id, cycle_start, price_id
-- reads:  contract_item, billing_cycle, price, billed_line, rerating
-- rule:   a price counts where the cycle, the item and the price overlap; a fee
--         in advance belongs to the month in which it begins; with fixed_days
--         every month counts so many days; what was billed in a closed month
--         stays there, also when the price is now billed at another time

with item_in_cycle as (
    select
        contract_item.contract_item_id,
        contract_item.product_id,
        contract_item.unpriced_usage,
        contract_item.quota_id,
        contract_item.quota_scope,
        case
            when contract_item.quota_id is null then null
            when contract_item.quota_scope = 'customer'
                then billing_cycle.customer_id
            else billing_cycle.contract_id
        end as quota_owner_id,
        contract_item.draw_order,
        billing_cycle.cycle_start,
        billing_cycle.cycle_end,
        billing_cycle.full_start,
        billing_cycle.full_end,
        greatest(billing_cycle.cycle_start, contract_item.valid_from)
            as item_from,
        least(
            billing_cycle.cycle_end,
            coalesce(contract_item.valid_to, billing_cycle.cycle_end)
        ) as item_to,
        billing_cycle.customer_id,
        billing_cycle.contract_id,
        billing_cycle.currency,
        billing_cycle.time_zone,
        billing_cycle.billing_period
    from contract_item
    inner join billing_cycle
        on contract_item.contract_id = billing_cycle.contract_id
        and contract_item.valid_from < billing_cycle.cycle_end
        and coalesce(contract_item.valid_to, billing_cycle.cycle_end)
        > billing_cycle.cycle_start
),

item_price as (
    select
        item_in_cycle.contract_item_id,
        item_in_cycle.cycle_start,
        price.price_id,
        false as is_unpriced,
        item_in_cycle.cycle_end,
        greatest(item_in_cycle.item_from, price.valid_from) as charge_from,
        least(
            item_in_cycle.item_to,
            coalesce(price.valid_to, item_in_cycle.item_to)
        ) as charge_to,
        price.billing_timing,
        item_in_cycle.full_start,
        item_in_cycle.full_end,
        item_in_cycle.time_zone,
        price.fixed_days,
        item_in_cycle.customer_id,
        item_in_cycle.contract_id,
        item_in_cycle.currency,
        item_in_cycle.quota_id,
        item_in_cycle.quota_scope,
        item_in_cycle.quota_owner_id,
        item_in_cycle.draw_order,
        item_in_cycle.billing_period
    from item_in_cycle
    inner join price
        on item_in_cycle.product_id = price.product_id
        and price.valid_from < item_in_cycle.item_to
        and coalesce(price.valid_to, item_in_cycle.item_to)
        > item_in_cycle.item_from

    union all

    -- Usage that may be free is listed also while no price is in force.
    select
        item_in_cycle.contract_item_id,
        item_in_cycle.cycle_start,
        'none' as price_id,
        true as is_unpriced,
        item_in_cycle.cycle_end,
        item_in_cycle.item_from as charge_from,
        item_in_cycle.item_to as charge_to,
        'arrears' as billing_timing,
        item_in_cycle.full_start,
        item_in_cycle.full_end,
        item_in_cycle.time_zone,
        cast(null as integer) as fixed_days,
        item_in_cycle.customer_id,
        item_in_cycle.contract_id,
        item_in_cycle.currency,
        item_in_cycle.quota_id,
        item_in_cycle.quota_scope,
        item_in_cycle.quota_owner_id,
        item_in_cycle.draw_order,
        item_in_cycle.billing_period
    from item_in_cycle
    where item_in_cycle.unpriced_usage = 'free'
),

-- A month that was rated again may have taken its fee back.
booked as (
    select
        billed_line.contract_item_id,
        billed_line.cycle_start,
        billed_line.price_id,
        min(billed_line.billing_period) as billing_period
    from billed_line
    where
        billed_line.corrected_period is null
        and billed_line.contract_item_id is not null
        and not exists (
            select 1
            from rerating
            where rerating.billing_period = billed_line.billing_period
        )
    group by
        billed_line.contract_item_id,
        billed_line.cycle_start,
        billed_line.price_id
),

local_day as (
    select
        item_price.contract_item_id,
        item_price.cycle_start,
        item_price.price_id,
        item_price.is_unpriced,
        item_price.cycle_end,
        item_price.charge_from,
        item_price.charge_to,
        local_date(item_price.charge_from, item_price.time_zone) as day_from,
        local_date(item_price.charge_to, item_price.time_zone) as day_to,
        item_price.billing_timing,
        item_price.full_start,
        item_price.full_end,
        item_price.time_zone,
        item_price.fixed_days,
        item_price.customer_id,
        item_price.contract_id,
        item_price.currency,
        item_price.quota_id,
        item_price.quota_scope,
        item_price.quota_owner_id,
        item_price.draw_order,
        item_price.billing_period
    from item_price
),

placed as (
    select
        local_day.contract_item_id,
        local_day.cycle_start,
        local_day.price_id,
        local_day.is_unpriced,
        local_day.cycle_end,
        local_day.full_start,
        local_day.full_end,
        local_day.charge_from,
        local_day.charge_to,
        local_day.day_from,
        local_day.day_to,
        local_day.time_zone,
        local_day.fixed_days,
        local_day.customer_id,
        local_day.contract_id,
        local_day.currency,
        local_day.quota_id,
        local_day.quota_scope,
        local_day.quota_owner_id,
        local_day.draw_order,
        coalesce(
            booked.billing_period,
            case local_day.billing_timing
                when 'advance'
                    then local_period(local_day.charge_from, local_day.time_zone)
                else local_day.billing_period
            end
        ) as billing_period
    from local_day
    left join booked
        on local_day.contract_item_id = booked.contract_item_id
        and local_day.cycle_start = booked.cycle_start
        and local_day.price_id = booked.price_id
)

select
    placed.contract_item_id,
    placed.cycle_start,
    placed.price_id,
    placed.cycle_end,
    placed.full_start,
    placed.full_end,
    placed.charge_from,
    placed.charge_to,
    cast(
        row_number() over (
            partition by placed.contract_item_id, placed.cycle_start
            order by
                placed.is_unpriced,
                placed.charge_from,
                placed.price_id
        ) as bigint
    ) as version_number,
    case
        when placed.fixed_days is null
            then cast(placed.day_to as integer)
            - cast(placed.day_from as integer)
        else
            placed.fixed_days
            * cast(
                (
                    extract(year from placed.day_to)
                    - extract(year from placed.day_from)
                ) * 12
                + extract(month from placed.day_to)
                - extract(month from placed.day_from) as integer
            )
            + cast(
                extract(day from placed.day_to)
                - extract(day from placed.day_from) as integer
            )
    end as days,
    coalesce(
        placed.fixed_days,
        cast(local_date(placed.full_end, placed.time_zone) as integer)
        - cast(
            local_date(placed.full_start, placed.time_zone) as integer
        )
    ) as full_days,
    placed.customer_id,
    placed.contract_id,
    placed.currency,
    placed.quota_id,
    placed.quota_scope,
    placed.quota_owner_id,
    placed.draw_order,
    placed.billing_period
from placed
