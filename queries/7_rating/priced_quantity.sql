-- priced_quantity: what is priced, after conversion, and by which price?
--
-- grain:  contract_item_id, cycle_start, price_id, group_key
-- reads:  billable_usage, item_cycle, interim_cycle, price, price_modifier
-- rule:   quantity x factor / divisor, rounded to whole units where declared;
--         then what is free comes off; negative usage is left as it is; the
--         versions of a price within a cycle share what is free and the blocks of
--         one size that are begun; where tiers go on they begin after what
--         earlier prices of the cycle priced; a fee that is not prorated is due
--         with the first price in the cycle, a volume price when the cycle has
--         ended

-- Prices of a product of which one has something that goes on within a cycle.
with shared_price as (
    select
        price.price_id,
        price.charge_model
    from price
    where exists (
        select 1
        from price as version
        inner join price_modifier
            on version.price_id = price_modifier.price_id
        where
            version.product_id = price.product_id
            and (
                price_modifier.free_quantity > 0
                or price_modifier.block_quantity is not null
                or price_modifier.tiers_go_on
            )
    )
),

converted as (
    select
        billable_usage.contract_item_id,
        billable_usage.cycle_start,
        billable_usage.price_id,
        billable_usage.group_key,
        case
            when price_modifier.price_id is null
                then billable_usage.billable_quantity
            when price_modifier.convert_rounding = 'none'
                then prorate(
                    billable_usage.billable_quantity,
                    price_modifier.convert_factor,
                    price_modifier.convert_divisor
                )
            else
                round_ratio(
                    billable_usage.billable_quantity,
                    price_modifier.convert_factor,
                    price_modifier.convert_divisor,
                    0,
                    price_modifier.convert_rounding
                )
        end as quantity,
        price_modifier.free_quantity,
        price_modifier.block_quantity,
        price_modifier.tiers_go_on,
        case
            when
                price_modifier.zero_quantity = 'free'
                and billable_usage.billable_quantity = 0
                then cast(0 as decimal(38, 12))
            else billable_usage.record_amount
        end as record_amount,
        billable_usage.billing_period
    from billable_usage
    left join price_modifier
        on billable_usage.price_id = price_modifier.price_id
),

-- What earlier versions of the cycle used of the free units is not free again.
version_in_order as (
    select
        converted.contract_item_id,
        converted.cycle_start,
        converted.price_id,
        converted.group_key,
        item_cycle.version_number,
        converted.quantity,
        coalesce(converted.free_quantity, 0) as free_quantity,
        sum(
            case when converted.free_quantity > 0 then converted.quantity end
        ) over (
            partition by
                converted.contract_item_id,
                converted.cycle_start,
                converted.group_key
            order by item_cycle.version_number
            rows between unbounded preceding and current row
        ) as quantity_until,
        case
            when shared_price.charge_model in ('per_unit', 'matrix')
                then converted.block_quantity
        end as block_quantity,
        coalesce(converted.tiers_go_on, false) as tiers_go_on,
        converted.record_amount,
        converted.billing_period
    from shared_price -- the few come first: without any, no usage is read for it
    inner join converted
        on shared_price.price_id = converted.price_id
    inner join item_cycle
        on converted.contract_item_id = item_cycle.contract_item_id
        and converted.cycle_start = item_cycle.cycle_start
        and converted.price_id = item_cycle.price_id
),

paid_version as (
    select
        version_in_order.contract_item_id,
        version_in_order.cycle_start,
        version_in_order.price_id,
        version_in_order.group_key,
        version_in_order.version_number,
        case
            when version_in_order.free_quantity = 0
                then version_in_order.quantity
            else
                -- Of the total until here, less of that before, what is not free.
                greatest(
                    version_in_order.quantity_until
                    - version_in_order.free_quantity,
                    least(version_in_order.quantity_until, 0)
                )
                - greatest(
                    version_in_order.quantity_until
                    - version_in_order.quantity
                    - version_in_order.free_quantity,
                    least(
                        version_in_order.quantity_until
                        - version_in_order.quantity,
                        0
                    )
                )
        end as quantity,
        version_in_order.block_quantity,
        coalesce(version_in_order.block_quantity, 0) as package_quantity,
        version_in_order.tiers_go_on,
        version_in_order.record_amount,
        version_in_order.billing_period
    from version_in_order
),

billed as (
    select
        paid_version.contract_item_id,
        paid_version.cycle_start,
        paid_version.price_id,
        paid_version.group_key,
        paid_version.quantity,
        case
            when paid_version.tiers_go_on or paid_version.block_quantity > 0
                then sum(paid_version.quantity) over (
                    partition by
                        paid_version.contract_item_id,
                        paid_version.cycle_start,
                        paid_version.group_key,
                        paid_version.package_quantity
                    order by paid_version.version_number
                    rows between unbounded preceding and 1 preceding
                )
        end as quantity_before,
        paid_version.block_quantity,
        paid_version.record_amount,
        paid_version.billing_period
    from paid_version

    union all

    select
        converted.contract_item_id,
        converted.cycle_start,
        converted.price_id,
        converted.group_key,
        converted.quantity,
        cast(null as decimal(38, 12)) as quantity_before,
        converted.block_quantity,
        converted.record_amount,
        converted.billing_period
    from converted
    where not exists (
        select 1
        from shared_price
        where shared_price.price_id = converted.price_id
    )
)

select
    billed.contract_item_id,
    billed.cycle_start,
    billed.price_id,
    billed.group_key,
    price.charge_model,
    case price.charge_model
        when 'flat' then price.proration <> 'none' or item_cycle.version_number = 1
        else interim_cycle.contract_item_id is null
    end as is_due,
    billed.quantity,
    billed.quantity_before,
    billed.block_quantity,
    case price.proration
        when 'none' then cast(1 as bigint)
        when 'time'
            then cast(item_cycle.charge_to as bigint)
            - cast(item_cycle.charge_from as bigint)
        else item_cycle.days
    end as share_part,
    case price.proration
        when 'none' then cast(1 as bigint)
        when 'time'
            then cast(item_cycle.full_end as bigint)
            - cast(item_cycle.full_start as bigint)
        else item_cycle.full_days
    end as share_whole,
    price.unit_amount,
    price.flat_amount,
    billed.record_amount,
    billed.billing_period
from billed
inner join item_cycle
    on billed.contract_item_id = item_cycle.contract_item_id
    and billed.cycle_start = item_cycle.cycle_start
    and billed.price_id = item_cycle.price_id
inner join price
    on billed.price_id = price.price_id
left join interim_cycle
    on billed.contract_item_id = interim_cycle.contract_item_id
    and billed.cycle_start = interim_cycle.cycle_start
    and price.charge_model in ('volume', 'level_volume')
    and not interim_cycle.volume_due
