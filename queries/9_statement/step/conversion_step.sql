-- conversion_step: how does the billable quantity become the one that is priced?
--
-- grain:  line_id
-- reads:  item_text, price_modifier, priced_quantity, priced_cycle

select
    item_text.line_id,
    item_text.billing_period,
    item_text.currency,
    3 as stage,
    0 as place,
    'conversion' as what,
    concat(
        number_text(item_text.billable_quantity, 0),
        case
            when price_modifier.convert_factor <> 1
                then concat(
                    ' x ', number_text(price_modifier.convert_factor, 0)
                )
            else ''
        end,
        case
            when price_modifier.convert_divisor <> 1
                then concat(
                    ' / ', number_text(price_modifier.convert_divisor, 0)
                )
            else ''
        end,
        case
            when price_modifier.convert_rounding <> 'none'
                then concat(', ', price_modifier.convert_rounding)
            else ''
        end,
        case
            when price_modifier.free_quantity <> 0
                then concat(
                    ' less ',
                    case
                        when priced_cycle.version_number > 1
                            then 'what is left of '
                        else ''
                    end,
                    number_text(price_modifier.free_quantity, 0),
                    ' free'
                )
            else ''
        end,
        ' = ',
        number_text(priced_quantity.quantity, 0),
        case
            when priced_quantity.quantity_before is not null
                then concat(
                    ', after ',
                    number_text(priced_quantity.quantity_before, 0),
                    ' at earlier prices'
                )
            else ''
        end
    ) as formula,
    cast(0 as decimal(38, 12)) as amount,
    concat('price modifier of ', item_text.price_id) as by_rule,
    'priced_quantity' as made_by
from item_text
inner join price_modifier
    on item_text.price_id = price_modifier.price_id
inner join priced_quantity
    on item_text.contract_item_id = priced_quantity.contract_item_id
    and item_text.cycle_start = priced_quantity.cycle_start
    and item_text.price_id = priced_quantity.price_id
    and item_text.billing_period = priced_quantity.billing_period
    and item_text.group_key = priced_quantity.group_key
left join priced_cycle
    on item_text.contract_item_id = priced_cycle.contract_item_id
    and item_text.cycle_start = priced_cycle.cycle_start
    and item_text.price_id = priced_cycle.price_id
    and item_text.billing_period = priced_cycle.billing_period
where
    priced_quantity.quantity <> item_text.billable_quantity
    or priced_quantity.quantity_before is not null
