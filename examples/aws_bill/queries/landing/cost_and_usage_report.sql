-- cost_and_usage_report: lines of an AWS Cost and Usage Report as usage records.
--
-- Only raw usage is taken: no cost, rate, description or pricing column of a
-- line. The one exception are spot instances, which have no list rate: there
-- the record carries its price.

select
    'aws' as source,
    concat(
        file.identity_line_item_id, '/', file.identity_time_interval
    ) as transaction_id,
    case
        when file.line_item_line_item_type = 'RIFee'
            then concat(
                'reservation fee/',
                split_part(file.reservation_reservation_a_r_n, '/', 2)
            )
        when file.line_item_line_item_type = 'DiscountedUsage'
            then concat(
                'reserved usage/',
                split_part(file.reservation_reservation_a_r_n, '/', 2)
            )
        else concat(
            file.line_item_product_code,
            '/',
            file.line_item_usage_type,
            '/',
            file.line_item_operation
        )
    end as usage_type,
    file.line_item_usage_start_date as usage_start,
    file.line_item_usage_end_date as usage_end,
    file.line_item_usage_account_id as account_id,
    file.line_item_usage_amount as quantity,
    case
        when file.line_item_usage_type like '%SpotUsage:%'
            then file.line_item_unblended_cost
    end as spot_amount
from file
