-- item_text: what do the steps of an item's line say of it?
--
-- grain:  line_id
-- reads:  invoice_line, contract, contract_item, price, price_modifier,
--         currency
-- rule:   lines of items and their fees, corrections aside; names are those of
--         today

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
    end as price_text,
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
    end as rounding_text
from invoice_line
left join contract
    on invoice_line.contract_id = contract.contract_id
left join contract_item
    on invoice_line.contract_item_id = contract_item.contract_item_id
left join price
    on invoice_line.price_id = price.price_id
left join price_modifier
    on invoice_line.price_id = price_modifier.price_id
left join currency
    on invoice_line.currency = currency.currency
where
    invoice_line.price_id is not null
    and invoice_line.corrected_period is null
