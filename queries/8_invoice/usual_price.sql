-- usual_price: what does a record of a usage type usually cost?
--
-- grain:  usage_type
-- reads:  invoice_line, contract_item
-- rule:   the amount of the lines of the type, corrections aside, for all records
--         behind them, in the currency that most of these are billed in

with record_price as (
    select
        contract_item.usage_type,
        invoice_line.currency,
        sum(invoice_line.amount) as amount,
        sum(invoice_line.record_count) as records
    from invoice_line
    inner join contract_item
        on invoice_line.contract_item_id = contract_item.contract_item_id
    where
        invoice_line.record_count > 0
        and invoice_line.corrected_period is null
    group by
        contract_item.usage_type,
        invoice_line.currency
),

in_order as (
    select
        record_price.*,
        row_number() over (
            partition by record_price.usage_type
            order by record_price.records desc, record_price.currency
        ) as place
    from record_price
)

select
    in_order.usage_type,
    in_order.amount,
    in_order.records,
    in_order.currency
from in_order
where in_order.place = 1
