-- charge_step: how does the quantity of an item's line become its exact amount?
--
-- grain:  line_id, place, what
-- reads:  item_text, charge, item_cycle, price_modifier
-- rule:   charges, tier by tier, and their discounts; those of a closed period
--         are those of its books
-- money:  charges as they are, decimal(38, 12)

with charged_step as (
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
            when item_text.line_type = 'fee' then 'fee'
            else coalesce(item_text.charge_model, 'charge')
        end as what,
        concat(
            case
                when
                    item_text.line_type = 'fee'
                    and charge.gross_amount = charge.flat_amount
                    then number_text(charge.flat_amount, item_text.decimals)
                when
                    item_text.line_type = 'fee'
                    and item_text.proration = 'time'
                    then concat(
                        number_text(charge.flat_amount, item_text.decimals),
                        ' x ',
                        number_text(
                            prorate(
                                cast(item_cycle.charge_to as bigint)
                                - cast(item_cycle.charge_from as bigint),
                                1,
                                1000000
                            ),
                            0
                        ),
                        ' / ',
                        number_text(
                            prorate(
                                cast(item_cycle.full_end as bigint)
                                - cast(item_cycle.full_start as bigint),
                                1,
                                1000000
                            ),
                            0
                        ),
                        ' seconds'
                    )
                when item_text.line_type = 'fee'
                    then concat(
                        number_text(charge.flat_amount, item_text.decimals),
                        ' x ',
                        item_cycle.days,
                        ' / ',
                        item_cycle.full_days,
                        ' days'
                    )
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
                else
                    concat(
                        number_text(item_text.record_count, 0),
                        ' records, each by itself'
                    )
            end,
            case
                when charge.unit_amount is not null and charge.flat_amount <> 0
                    then concat(
                        ' + ',
                        number_text(charge.flat_amount, item_text.decimals)
                    )
                else ''
            end,
            case
                when
                    item_text.line_type = 'fee'
                    and charge.gross_amount = charge.flat_amount
                    then ''
                else
                    concat(
                        ' = ',
                        number_text(charge.gross_amount, item_text.decimals)
                    )
            end,
            case
                when price_modifier.charge_decimals is not null
                    then concat(
                        ' (',
                        price_modifier.charge_rounding,
                        ' to ',
                        price_modifier.charge_decimals,
                        ' places)'
                    )
                else ''
            end
        ) as formula,
        charge.gross_amount as amount,
        item_text.price_text as by_rule,
        case
            when starts_with(item_text.charge_model, 'record_')
                then 'priced_usage'
            when item_text.charge_model = 'percentage'
                then 'percentage_charge'
            when item_text.charge_model = 'time_of_use'
                then 'session_charge'
            when item_text.charge_model = 'dimension'
                then 'dimension_charge'
            when item_text.charge_model = 'level_graduated'
                then 'level_tier'
            when item_text.charge_model = 'capacity'
                then 'capacity_tier'
            else 'tier_charge'
        end as made_by
    from item_text
    inner join charge
        on item_text.contract_item_id = charge.contract_item_id
        and item_text.cycle_start = charge.cycle_start
        and item_text.price_id = charge.price_id
        and item_text.billing_period = charge.billing_period
        and item_text.group_key = charge.group_key
    left join item_cycle
        on item_text.contract_item_id = item_cycle.contract_item_id
        and item_text.cycle_start = item_cycle.cycle_start
        and item_text.price_id = item_cycle.price_id
        and item_text.billing_period = item_cycle.billing_period
    left join price_modifier
        on item_text.price_id = price_modifier.price_id
),

discount_step as (
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
),

free_step as (
    select
        item_text.line_id,
        item_text.billing_period,
        item_text.currency,
        4 as stage,
        0 as place,
        'no charge' as what,
        case item_text.price_id
            when 'none' then 'usage without a price is free, and listed'
            else 'the price is charged when the cycle has ended'
        end as formula,
        cast(0 as decimal(38, 12)) as amount,
        item_text.price_text as by_rule,
        'tier_charge' as made_by
    from item_text
    where not exists (
        select 1
        from charge
        where
            charge.contract_item_id = item_text.contract_item_id
            and charge.cycle_start = item_text.cycle_start
            and charge.price_id = item_text.price_id
            and charge.billing_period = item_text.billing_period
            and charge.group_key = item_text.group_key
    )
)

select
    charged_step.line_id,
    charged_step.billing_period,
    charged_step.currency,
    charged_step.stage,
    charged_step.place,
    charged_step.what,
    charged_step.formula,
    charged_step.amount,
    charged_step.by_rule,
    charged_step.made_by
from charged_step

union all

select
    discount_step.line_id,
    discount_step.billing_period,
    discount_step.currency,
    discount_step.stage,
    discount_step.place,
    discount_step.what,
    discount_step.formula,
    discount_step.amount,
    discount_step.by_rule,
    discount_step.made_by
from discount_step

union all

select
    free_step.line_id,
    free_step.billing_period,
    free_step.currency,
    free_step.stage,
    free_step.place,
    free_step.what,
    free_step.formula,
    free_step.amount,
    free_step.by_rule,
    free_step.made_by
from free_step
