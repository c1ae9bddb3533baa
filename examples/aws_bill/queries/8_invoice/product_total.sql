-- product_total: what each account owes for each product in a month.
--
-- grain:  billing_period, contract_id, product_code, line_item_type
-- reads:  invoice_line

with product_line as (
    select
        invoice_line.billing_period,
        invoice_line.contract_id,
        case
            when invoice_line.description like 'reservation fee/%'
                or invoice_line.description like 'reserved usage/%'
                then 'AmazonEC2'
            else split_part(invoice_line.description, '/', 1)
        end as product_code,
        case
            when invoice_line.description like 'reservation fee/%' then 'RIFee'
            when invoice_line.description like 'reserved usage/%'
                then 'DiscountedUsage'
            else 'Usage'
        end as line_item_type,
        invoice_line.record_count,
        invoice_line.amount
    from invoice_line
)

select
    product_line.billing_period,
    product_line.contract_id,
    product_line.product_code,
    product_line.line_item_type,
    sum(product_line.record_count) as record_count,
    sum(product_line.amount) as amount
from product_line
group by
    product_line.billing_period,
    product_line.contract_id,
    product_line.product_code,
    product_line.line_item_type
