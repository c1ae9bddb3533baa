-- tariff: what is the list rate of a usage type in a month?
--
-- grain:  usage_type, valid_from
-- reads:  list_rate
-- rule:   within a free tier the publisher shows a rate of 0, so the public rate
--         is taken where there is one

select
    concat(
        list_rate.line_item_product_code,
        '/',
        list_rate.line_item_usage_type,
        '/',
        list_rate.line_item_operation
    ) as usage_type,
    cast(list_rate.billing_period as timestamp with time zone) as valid_from,
    cast(list_rate.billing_period + interval '1 month' as timestamp with time zone)
        as valid_to,
    max(
        coalesce(
            list_rate.pricing_public_on_demand_rate,
            list_rate.line_item_unblended_rate
        )
    ) as unit_amount
from list_rate
group by
    concat(
        list_rate.line_item_product_code,
        '/',
        list_rate.line_item_usage_type,
        '/',
        list_rate.line_item_operation
    ),
    list_rate.billing_period
