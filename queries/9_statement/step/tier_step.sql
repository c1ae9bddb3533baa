-- tier_step: what does the quantity of a line cost, tier by tier?
--
-- grain:  line_id, place
-- reads:  item_text, charge
-- rule:   charges of a closed period are those of its books
-- money:  charges as they are, decimal(38, 12)

select
    item_text.line_id,
    item_text.billing_period,
    item_text.currency,
    4 as stage,
    charge.tier_number as place,
    case
        when charge.tier_number > 0
            then concat(
                coalesce(item_text.charge_model, ''),
                ' tier ',
                charge.tier_number
            )
        else coalesce(item_text.charge_model, 'charge')
    end as what,
    concat(
        case
            when charge.block_count is not null
                then concat(
                    number_text(charge.quantity, 0),
                    ' in ',
                    number_text(charge.block_count, 0),
                    ' blocks x ',
                    number_text(charge.unit_amount, 0)
                )
            when charge.unit_amount is not null
                then concat(
                    number_text(charge.quantity, 0),
                    ' x ',
                    number_text(charge.unit_amount, 0)
                )
            when item_text.charge_model = 'capacity' then 'fee of the tier'
            else number_text(item_text.record_count, 0) || ' records, each by itself'
        end,
        case
            when charge.unit_amount is not null and charge.flat_amount <> 0
                then concat(
                    ' + ',
                    number_text(charge.flat_amount, item_text.decimals)
                )
            else ''
        end,
        ' = ',
        number_text(charge.gross_amount, item_text.decimals),
        item_text.rounding_text
    ) as formula,
    charge.gross_amount as amount,
    item_text.price_text as by_rule,
    case
        when starts_with(item_text.charge_model, 'record_') then 'priced_usage'
        else coalesce(item_text.charge_model || '_charge', 'tier_charge')
    end as made_by
from item_text
inner join charge
    on item_text.contract_item_id = charge.contract_item_id
    and item_text.cycle_start = charge.cycle_start
    and item_text.price_id = charge.price_id
    and item_text.billing_period = charge.billing_period
    and item_text.group_key = charge.group_key
where item_text.line_type <> 'fee'
