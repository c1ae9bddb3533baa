-- priced_cycle: which price is in force for an item in which part of a cycle?
--
-- grain:  contract_item_id, cycle_start, price_id
-- reads:  contract_item, billing_cycle, price, booked_price
-- rule:   a price counts where the cycle, the item and the price overlap (an end
--         that is null is open, and `least` passes it over); a fee
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
        least(billing_cycle.cycle_end, contract_item.valid_to) as item_to,
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
        item_in_cycle.*,
        price.price_id,
        false as is_unpriced,
        greatest(item_in_cycle.item_from, price.valid_from) as charge_from,
        least(item_in_cycle.item_to, price.valid_to) as charge_to,
        price.billing_timing,
        price.fixed_days
    from item_in_cycle
    inner join price
        on item_in_cycle.product_id = price.product_id
        and price.valid_from < item_in_cycle.item_to
        and coalesce(price.valid_to, item_in_cycle.item_to)
        > item_in_cycle.item_from

    union all

    -- Usage that may be free is listed also while no price is in force.
    select
        item_in_cycle.*,
        'none' as price_id,
        true as is_unpriced,
        item_in_cycle.item_from as charge_from,
        item_in_cycle.item_to as charge_to,
        'arrears' as billing_timing,
        cast(null as integer) as fixed_days
    from item_in_cycle
    where item_in_cycle.unpriced_usage = 'free'
),

placed as (
    select
        item_price.*,
        local_date(item_price.charge_from, item_price.time_zone) as day_from,
        local_date(item_price.charge_to, item_price.time_zone) as day_to,
        coalesce(
            booked_price.billing_period,
            case item_price.billing_timing
                when 'advance'
                    then local_period(item_price.charge_from, item_price.time_zone)
                else item_price.billing_period
            end
        ) as charged_in
    from item_price
    left join booked_price
        on item_price.contract_item_id = booked_price.contract_item_id
        and item_price.cycle_start = booked_price.cycle_start
        and item_price.price_id = booked_price.price_id
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
    placed.charged_in as billing_period
from placed
