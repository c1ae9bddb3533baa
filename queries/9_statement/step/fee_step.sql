-- fee_step: what is a fee, for the time that it is for?
--
-- grain:  line_id, place
-- reads:  item_text, charge, priced_cycle
-- money:  charges as they are, decimal(38, 12)

select
    item_text.line_id,
    item_text.billing_period,
    item_text.currency,
    4 as stage,
    charge.tier_number as place,
    'fee' as what,
    concat(
        number_text(charge.flat_amount, item_text.decimals),
        case
            when charge.gross_amount = charge.flat_amount then ''
            when item_text.proration = 'time'
                then concat(
                    ' x ',
                    number_text(
                        prorate(
                            cast(priced_cycle.charge_to as bigint)
                            - cast(priced_cycle.charge_from as bigint),
                            1,
                            1000000
                        ),
                        0
                    ),
                    ' / ',
                    number_text(
                        prorate(
                            cast(priced_cycle.full_end as bigint)
                            - cast(priced_cycle.full_start as bigint),
                            1,
                            1000000
                        ),
                        0
                    ),
                    ' seconds = ',
                    number_text(charge.gross_amount, item_text.decimals)
                )
            else
                concat(
                    ' x ',
                    priced_cycle.days,
                    ' / ',
                    priced_cycle.full_days,
                    ' days = ',
                    number_text(charge.gross_amount, item_text.decimals)
                )
        end,
        item_text.rounding_text
    ) as formula,
    charge.gross_amount as amount,
    item_text.price_text as by_rule,
    'flat_charge' as made_by
from item_text
inner join charge
    on item_text.contract_item_id = charge.contract_item_id
    and item_text.cycle_start = charge.cycle_start
    and item_text.price_id = charge.price_id
    and item_text.billing_period = charge.billing_period
    and item_text.group_key = charge.group_key
left join priced_cycle
    on item_text.contract_item_id = priced_cycle.contract_item_id
    and item_text.cycle_start = priced_cycle.cycle_start
    and item_text.price_id = priced_cycle.price_id
    and item_text.billing_period = priced_cycle.billing_period
where item_text.line_type = 'fee'
