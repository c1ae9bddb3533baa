-- priced_quantity: how many units are priced, after conversion?
--
-- grain:  contract_item_id, cycle_start, price_id, group_key
-- reads:  billable_usage, price_modifier
-- rule:   quantity x factor / divisor, rounded to whole units where declared;
--         then what is free comes off; negative usage is left as it is

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
        price_modifier.zero_quantity,
        billable_usage.billable_quantity,
        billable_usage.record_amount,
        billable_usage.billing_period
    from billable_usage
    left join price_modifier
        on billable_usage.price_id = price_modifier.price_id
)

select
    converted.contract_item_id,
    converted.cycle_start,
    converted.price_id,
    converted.group_key,
    case
        when converted.free_quantity is null then converted.billable_quantity
        when converted.converted_quantity <= 0 then converted.converted_quantity
        else
            greatest(converted.converted_quantity - converted.free_quantity, 0)
    end as quantity,
    converted.block_quantity,
    case
        when converted.zero_quantity = 'free' and converted.billable_quantity = 0
            then 0
        else converted.record_amount
    end as record_amount,
    converted.billing_period
from converted
