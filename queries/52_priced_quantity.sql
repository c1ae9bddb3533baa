-- priced_quantity: what is priced, after conversion, and by which price?
--
-- grain:  contract_item_id, cycle_start, price_id, group_key
-- reads:  billable_usage, item_cycle, interim_cycle, price, price_modifier
-- rule:   quantity x factor / divisor, rounded to whole units where declared;
--         then what is free comes off; negative usage is left as it is; where
--         tiers go on they begin after what earlier prices of the cycle priced;
--         a fee that is not prorated is due with the first price in the cycle,
--         a volume price when the cycle has ended

with converted as (
    select
        billable_usage.contract_item_id,
        billable_usage.cycle_start,
        billable_usage.price_id,
        billable_usage.group_key,
        case price_modifier.convert_rounding
            when 'none'
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
        end as converted_quantity,
        price_modifier.free_quantity,
        price_modifier.block_quantity,
        price_modifier.tiers_go_on,
        price_modifier.zero_quantity,
        billable_usage.billable_quantity,
        billable_usage.record_amount,
        billable_usage.billing_period
    from billable_usage
    left join price_modifier
        on billable_usage.price_id = price_modifier.price_id
),

billed as (
    select
        converted.contract_item_id,
        converted.cycle_start,
        converted.price_id,
        converted.group_key,
        case
            when converted.free_quantity is null
                then converted.billable_quantity
            when converted.converted_quantity <= 0
                then converted.converted_quantity
            else
                greatest(
                    converted.converted_quantity - converted.free_quantity, 0
                )
        end as quantity,
        converted.block_quantity,
        coalesce(converted.tiers_go_on, false) as tiers_go_on,
        case
            when
                converted.zero_quantity = 'free'
                and converted.billable_quantity = 0
                then cast(0 as decimal(38, 12))
            else converted.record_amount
        end as record_amount,
        converted.billing_period
    from converted
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
    case
        when billed.tiers_go_on and item_cycle.version_number > 1
            then sum(billed.quantity) over (
                partition by
                    billed.contract_item_id,
                    billed.cycle_start,
                    billed.group_key
                order by item_cycle.version_number
                rows between unbounded preceding and 1 preceding
            )
    end as quantity_before,
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
