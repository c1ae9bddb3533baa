-- usage_step: how does the usage of an item come to a quantity?
--
-- grain:  line_id
-- reads:  item_text, metric, metered_usage
-- rule:   quantities of a closed period are those of its books

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
