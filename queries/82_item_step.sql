-- item_step: how does a line of an item come to its exact amount, step by step?
--
-- grain:  line_id, stage, place, what
-- reads:  invoice_line, item_cycle, contract, contract_item, price, metric,
--         metered_usage, billable_usage, entitlement_status, priced_quantity,
--         price_modifier, charge, currency
-- rule:   usage, quota, conversion, charges, discounts; quantities and charges
--         of a closed period are those of its books, names those of today
-- money:  charges as they are, decimal(38, 12)

with item as (
    select
        invoice_line.line_id,
        invoice_line.billing_period,
        invoice_line.contract_item_id,
        invoice_line.cycle_start,
        invoice_line.price_id,
        invoice_line.group_key,
        invoice_line.line_type,
        invoice_line.record_count,
        invoice_line.quantity,
        invoice_line.included_quantity,
        invoice_line.billable_quantity,
        coalesce(' ' || invoice_line.unit, '') as unit,
        invoice_line.currency,
        coalesce(currency.decimals, 2) as decimals,
        contract.time_zone,
        contract_item.product_id,
        price.charge_model,
        price.proration,
        case
            when invoice_line.price_id = 'none' then 'no price in force'
            when price.price_id is null
                then concat('price ', invoice_line.price_id, ', not listed now')
            else
                concat(
                    'price ',
                    invoice_line.price_id,
                    ', in force from ',
                    replace(
                        to_char(
                            local_time(price.valid_from, contract.time_zone),
                            '%Y-%m-%d %H:%M'
                        ),
                        ' 00:00',
                        ''
                    ),
                    coalesce(
                        ' until before '
                        || replace(
                            to_char(
                                local_time(price.valid_to, contract.time_zone),
                                '%Y-%m-%d %H:%M'
                            ),
                            ' 00:00',
                            ''
                        ),
                        ''
                    )
                )
        end as price_text
    from invoice_line
    left join contract
        on invoice_line.contract_id = contract.contract_id
    left join contract_item
        on invoice_line.contract_item_id = contract_item.contract_item_id
    left join price
        on invoice_line.price_id = price.price_id
    left join currency
        on invoice_line.currency = currency.currency
    where
        invoice_line.price_id is not null
        and invoice_line.corrected_period is null
),

usage_step as (
    select
        item.line_id,
        item.billing_period,
        item.currency,
        1 as stage,
        0 as place,
        'usage' as what,
        case
            when metric.product_id is null
                then concat(
                    number_text(item.record_count, 0),
                    ' records: ',
                    number_text(item.quantity, 0),
                    item.unit
                )
            else
                concat(
                    metric.aggregation,
                    case
                        when metric.window_interval is null then ''
                        else
                            concat(
                                ' by ',
                                metric.window_interval,
                                ', then ',
                                metric.window_aggregation
                            )
                    end,
                    ' of ',
                    number_text(item.record_count, 0),
                    ' records with ',
                    number_text(metered_usage.record_quantity, 0),
                    case
                        when metric.carries_over
                            then ', on the level of the cycle before'
                        else ''
                    end,
                    case
                        when metric.proration = 'none' then ''
                        else concat(', for the ', metric.proration, ' left')
                    end,
                    case
                        when item.group_key = '' then ''
                        else concat(', ', item.group_key)
                    end,
                    ': ',
                    number_text(item.quantity, 0),
                    item.unit
                )
        end as formula,
        cast(0 as decimal(38, 12)) as amount,
        item.price_text as by_rule,
        case
            when metric.product_id is null then 'queries/45_metered_usage.sql'
            else 'queries/44_measured_usage.sql'
        end as query_file
    from item
    left join metric
        on item.product_id = metric.product_id
    left join metered_usage
        on item.contract_item_id = metered_usage.contract_item_id
        and item.cycle_start = metered_usage.cycle_start
        and item.price_id = metered_usage.price_id
        and item.billing_period = metered_usage.billing_period
        and item.group_key = metered_usage.group_key
    where
        item.line_type <> 'fee'
        and (item.record_count > 0 or item.quantity <> 0)
),

quota_step as (
    select
        item.line_id,
        item.billing_period,
        item.currency,
        2 as stage,
        0 as place,
        'quota' as what,
        concat(
            'included ',
            number_text(item.included_quantity, 0),
            case
                when billable_usage.goodwill_quantity <> 0
                    then concat(
                        ' (of that goodwill ',
                        number_text(billable_usage.goodwill_quantity, 0),
                        ')'
                    )
                else ''
            end,
            ', used ',
            number_text(item.quantity, 0),
            ', billable ',
            number_text(item.billable_quantity, 0)
        ) as formula,
        cast(0 as decimal(38, 12)) as amount,
        concat(
            'quota ',
            item_cycle.quota_id,
            ' of ',
            item_cycle.quota_owner_id,
            coalesce(
                ': '
                || number_text(entitlement_status.included_quantity, 0)
                || ' in the cycle, '
                || number_text(entitlement_status.used_quantity, 0)
                || ' used',
                ''
            )
        ) as by_rule,
        'queries/51_billable_usage.sql' as query_file
    from item
    inner join item_cycle
        on item.contract_item_id = item_cycle.contract_item_id
        and item.cycle_start = item_cycle.cycle_start
        and item.price_id = item_cycle.price_id
        and item.billing_period = item_cycle.billing_period
    left join entitlement_status
        on item_cycle.quota_id = entitlement_status.quota_id
        and item_cycle.quota_scope = entitlement_status.quota_scope
        and item_cycle.quota_owner_id = entitlement_status.owner_id
        and item_cycle.full_start = entitlement_status.cycle_start
    left join billable_usage
        on item.contract_item_id = billable_usage.contract_item_id
        and item.cycle_start = billable_usage.cycle_start
        and item.price_id = billable_usage.price_id
        and item.billing_period = billable_usage.billing_period
        and item.group_key = billable_usage.group_key
    where item_cycle.quota_id is not null and item.line_type <> 'fee'
),

conversion_step as (
    select
        item.line_id,
        item.billing_period,
        item.currency,
        3 as stage,
        0 as place,
        'conversion' as what,
        concat(
            number_text(item.billable_quantity, 0),
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
        concat('price modifier of ', item.price_id) as by_rule,
        'queries/52_priced_quantity.sql' as query_file
    from item
    inner join price_modifier
        on item.price_id = price_modifier.price_id
    inner join priced_quantity
        on item.contract_item_id = priced_quantity.contract_item_id
        and item.cycle_start = priced_quantity.cycle_start
        and item.price_id = priced_quantity.price_id
        and item.billing_period = priced_quantity.billing_period
        and item.group_key = priced_quantity.group_key
    where
        priced_quantity.quantity <> item.billable_quantity
        or priced_quantity.quantity_before is not null
),

charge_step as (
    select
        item.line_id,
        item.billing_period,
        item.currency,
        4 as stage,
        charge.tier_number as place,
        case
            when charge.tier_number > 0
                then concat(
                    coalesce(item.charge_model, ''),
                    ' tier ',
                    charge.tier_number
                )
            when item.line_type = 'fee' then 'fee'
            else coalesce(item.charge_model, 'charge')
        end as what,
        concat(
            case
                when
                    item.line_type = 'fee'
                    and charge.gross_amount = charge.flat_amount
                    then number_text(charge.flat_amount, item.decimals)
                when item.line_type = 'fee' and item.proration = 'time'
                    then concat(
                        number_text(charge.flat_amount, item.decimals),
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
                when item.line_type = 'fee'
                    then concat(
                        number_text(charge.flat_amount, item.decimals),
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
                when item.charge_model = 'capacity' then 'fee of the tier'
                else
                    concat(
                        number_text(item.record_count, 0),
                        ' records, each by itself'
                    )
            end,
            case
                when charge.unit_amount is not null and charge.flat_amount <> 0
                    then concat(
                        ' + ',
                        number_text(charge.flat_amount, item.decimals)
                    )
                else ''
            end,
            case
                when
                    item.line_type = 'fee'
                    and charge.gross_amount = charge.flat_amount
                    then ''
                else
                    concat(
                        ' = ',
                        number_text(charge.gross_amount, item.decimals)
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
        item.price_text as by_rule,
        case
            when starts_with(item.charge_model, 'record_')
                then 'queries/34_priced_usage.sql'
            when item.charge_model = 'percentage'
                then 'queries/36_percentage_charge.sql'
            when item.charge_model = 'time_of_use'
                then 'queries/37_session_charge.sql'
            when item.charge_model = 'dimension'
                then 'queries/38_dimension_charge.sql'
            when item.charge_model = 'level_graduated'
                then 'queries/53_level_tier.sql'
            when item.charge_model = 'capacity'
                then 'queries/54_capacity_tier.sql'
            else 'queries/55_tier_charge.sql'
        end as query_file
    from item
    inner join charge
        on item.contract_item_id = charge.contract_item_id
        and item.cycle_start = charge.cycle_start
        and item.price_id = charge.price_id
        and item.billing_period = charge.billing_period
        and item.group_key = charge.group_key
    left join item_cycle
        on item.contract_item_id = item_cycle.contract_item_id
        and item.cycle_start = item_cycle.cycle_start
        and item.price_id = item_cycle.price_id
        and item.billing_period = item_cycle.billing_period
    left join price_modifier
        on item.price_id = price_modifier.price_id
),

discount_step as (
    select
        item.line_id,
        item.billing_period,
        item.currency,
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
                        number_text(charge.gross_amount, item.decimals)
                    )
                else number_text(charge.gross_amount, item.decimals)
            end,
            case
                when price_modifier.maximum_amount is not null
                    then concat(
                        ', at most ',
                        number_text(
                            price_modifier.maximum_amount, item.decimals
                        ),
                        ' for the price in a cycle'
                    )
                else ''
            end,
            ' = ',
            number_text(charge.amount, item.decimals)
        ) as formula,
        -charge.discount_amount as amount,
        concat('price modifier of ', item.price_id) as by_rule,
        'queries/60_charge.sql' as query_file
    from item
    inner join charge
        on item.contract_item_id = charge.contract_item_id
        and item.cycle_start = charge.cycle_start
        and item.price_id = charge.price_id
        and item.billing_period = charge.billing_period
        and item.group_key = charge.group_key
    left join price_modifier
        on item.price_id = price_modifier.price_id
    where charge.discount_amount <> 0
),

free_step as (
    select
        item.line_id,
        item.billing_period,
        item.currency,
        4 as stage,
        0 as place,
        'no charge' as what,
        case item.price_id
            when 'none' then 'usage without a price is free, and listed'
            else 'the price is charged when the cycle has ended'
        end as formula,
        cast(0 as decimal(38, 12)) as amount,
        item.price_text as by_rule,
        'queries/55_tier_charge.sql' as query_file
    from item
    where not exists (
        select 1
        from charge
        where
            charge.contract_item_id = item.contract_item_id
            and charge.cycle_start = item.cycle_start
            and charge.price_id = item.price_id
            and charge.billing_period = item.billing_period
            and charge.group_key = item.group_key
    )
)

select
    usage_step.line_id,
    usage_step.billing_period,
    usage_step.currency,
    usage_step.stage,
    usage_step.place,
    usage_step.what,
    usage_step.formula,
    usage_step.amount,
    usage_step.by_rule,
    usage_step.query_file
from usage_step

union all

select
    quota_step.line_id,
    quota_step.billing_period,
    quota_step.currency,
    quota_step.stage,
    quota_step.place,
    quota_step.what,
    quota_step.formula,
    quota_step.amount,
    quota_step.by_rule,
    quota_step.query_file
from quota_step

union all

select
    conversion_step.line_id,
    conversion_step.billing_period,
    conversion_step.currency,
    conversion_step.stage,
    conversion_step.place,
    conversion_step.what,
    conversion_step.formula,
    conversion_step.amount,
    conversion_step.by_rule,
    conversion_step.query_file
from conversion_step

union all

select
    charge_step.line_id,
    charge_step.billing_period,
    charge_step.currency,
    charge_step.stage,
    charge_step.place,
    charge_step.what,
    charge_step.formula,
    charge_step.amount,
    charge_step.by_rule,
    charge_step.query_file
from charge_step

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
    discount_step.query_file
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
    free_step.query_file
from free_step
