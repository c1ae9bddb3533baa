-- quantity_step: how does usage become the quantity that an item's line pays for?
--
-- grain:  line_id, stage
-- reads:  item_text, metric, metered_usage, item_cycle, billable_usage,
--         entitlement_status, price_modifier, priced_quantity
-- rule:   usage, quota, conversion; quantities of a closed period are those of
--         its books

with usage_step as (
    select
        item_text.line_id,
        item_text.billing_period,
        item_text.currency,
        1 as stage,
        0 as place,
        'usage' as what,
        case
            when metric.product_id is null
                then concat(
                    number_text(item_text.record_count, 0),
                    ' records: ',
                    number_text(item_text.quantity, 0),
                    item_text.unit
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
                    number_text(item_text.record_count, 0),
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
                        when item_text.group_key = '' then ''
                        else concat(', ', item_text.group_key)
                    end,
                    ': ',
                    number_text(item_text.quantity, 0),
                    item_text.unit
                )
        end as formula,
        cast(0 as decimal(38, 12)) as amount,
        item_text.price_text as by_rule,
        case
            when metric.product_id is null then 'metered_usage'
            else 'measured_usage'
        end as made_by
    from item_text
    left join metric
        on item_text.product_id = metric.product_id
    left join metered_usage
        on item_text.contract_item_id = metered_usage.contract_item_id
        and item_text.cycle_start = metered_usage.cycle_start
        and item_text.price_id = metered_usage.price_id
        and item_text.billing_period = metered_usage.billing_period
        and item_text.group_key = metered_usage.group_key
    where
        item_text.line_type <> 'fee'
        and (item_text.record_count > 0 or item_text.quantity <> 0)
),

quota_step as (
    select
        item_text.line_id,
        item_text.billing_period,
        item_text.currency,
        2 as stage,
        0 as place,
        'quota' as what,
        concat(
            'included ',
            number_text(item_text.included_quantity, 0),
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
            number_text(item_text.quantity, 0),
            ', billable ',
            number_text(item_text.billable_quantity, 0)
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
        'billable_usage' as made_by
    from item_text
    inner join item_cycle
        on item_text.contract_item_id = item_cycle.contract_item_id
        and item_text.cycle_start = item_cycle.cycle_start
        and item_text.price_id = item_cycle.price_id
        and item_text.billing_period = item_cycle.billing_period
    left join entitlement_status
        on item_cycle.quota_id = entitlement_status.quota_id
        and item_cycle.quota_scope = entitlement_status.quota_scope
        and item_cycle.quota_owner_id = entitlement_status.owner_id
        and item_cycle.full_start = entitlement_status.cycle_start
    left join billable_usage
        on item_text.contract_item_id = billable_usage.contract_item_id
        and item_text.cycle_start = billable_usage.cycle_start
        and item_text.price_id = billable_usage.price_id
        and item_text.billing_period = billable_usage.billing_period
        and item_text.group_key = billable_usage.group_key
    where item_cycle.quota_id is not null and item_text.line_type <> 'fee'
),

conversion_step as (
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
                            when item_cycle.version_number > 1
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
    left join item_cycle
        on item_text.contract_item_id = item_cycle.contract_item_id
        and item_text.cycle_start = item_cycle.cycle_start
        and item_text.price_id = item_cycle.price_id
        and item_text.billing_period = item_cycle.billing_period
    where
        priced_quantity.quantity <> item_text.billable_quantity
        or priced_quantity.quantity_before is not null
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
    usage_step.made_by
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
    quota_step.made_by
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
    conversion_step.made_by
from conversion_step
