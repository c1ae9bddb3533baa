-- discount_step: what comes off a charge, by discount and maximum?
--
-- grain:  line_id, place
-- reads:  item_text, charge, price_modifier
-- money:  charges as they are, decimal(38, 12)

select
    item_text.line_id,
    item_text.billing_period,
    item_text.currency,
    4 as stage,
    charge.tier_number as place,
    case
        when charge.tier_number > 0
            then concat('discount, tier ', charge.tier_number)
        else 'discount'
    end as what,
    concat(
        case
            when price_modifier.discount_percent <> 0
                then concat(
                    number_text(price_modifier.discount_percent, 0),
                    ' % off ',
                    number_text(charge.gross_amount, item_text.decimals)
                )
            else number_text(charge.gross_amount, item_text.decimals)
        end,
        case
            when price_modifier.maximum_amount is not null
                then concat(
                    ', at most ',
                    number_text(
                        price_modifier.maximum_amount,
                        item_text.decimals
                    ),
                    ' for the price in the cycle'
                )
            else ''
        end,
        ' = ',
        number_text(charge.amount, item_text.decimals)
    ) as formula,
    -charge.discount_amount as amount,
    concat('price modifier of ', item_text.price_id) as by_rule,
    'charge' as made_by
from item_text
inner join charge
    on item_text.contract_item_id = charge.contract_item_id
    and item_text.cycle_start = charge.cycle_start
    and item_text.price_id = charge.price_id
    and item_text.billing_period = charge.billing_period
    and item_text.group_key = charge.group_key
left join price_modifier
    on item_text.price_id = price_modifier.price_id
where charge.discount_amount <> 0
