-- invoice_line: the lines to invoice, with what the invoicing system passes on.
--
-- grain:  line_id
-- reads:  invoice_line, declared_line, billed_line
-- totals: by currency
-- rule:   a closed line keeps what was declared when it closed; an item that
--         shows overage only hides what its quota covers, and has no line where
--         nothing is left; the service dates are the first and the last day of
--         the cycle in the contract's zone

with declared as (
    select
        invoice_line.customer_id,
        invoice_line.billing_period,
        invoice_line.line_id,
        invoice_line.contract_id,
        invoice_line.contract_item_id,
        invoice_line.price_id,
        invoice_line.cycle_start,
        invoice_line.cycle_end,
        invoice_line.line_type,
        invoice_line.description,
        invoice_line.quantity,
        invoice_line.included_quantity,
        invoice_line.billable_quantity,
        invoice_line.unit,
        invoice_line.amount,
        invoice_line.currency,
        coalesce(billed_line.time_zone, declared_line.time_zone) as time_zone,
        coalesce(billed_line.usage_shown, declared_line.usage_shown)
            as usage_shown,
        case
            when billed_line.line_id is null then declared_line.purchase_order
            else billed_line.purchase_order
        end as purchase_order,
        case
            when billed_line.line_id is null then declared_line.product_code
            else billed_line.product_code
        end as product_code,
        case
            when billed_line.line_id is null then declared_line.tax_category
            else billed_line.tax_category
        end as tax_category,
        case
            when billed_line.line_id is null then declared_line.gl_account
            else billed_line.gl_account
        end as gl_account
    from invoice_line
    left join billed_line
        on invoice_line.line_id = billed_line.line_id
        and invoice_line.billing_period = billed_line.billing_period
    inner join declared_line
        on invoice_line.line_id = declared_line.line_id
        and invoice_line.billing_period = declared_line.billing_period
)

select
    declared.customer_id,
    declared.billing_period,
    declared.line_id,
    declared.contract_id,
    declared.contract_item_id,
    declared.price_id,
    declared.cycle_start,
    declared.cycle_end,
    local_date(declared.cycle_start, declared.time_zone) as service_from,
    local_date(
        declared.cycle_end - interval '1 microsecond', declared.time_zone
    ) as service_to,
    declared.line_type,
    declared.description,
    declared.purchase_order,
    declared.product_code,
    declared.tax_category,
    declared.gl_account,
    case
        when declared.usage_shown = 'overage' then declared.billable_quantity
        else declared.quantity
    end as quantity,
    case
        when declared.usage_shown = 'overage' then 0
        else declared.included_quantity
    end as included_quantity,
    declared.billable_quantity,
    declared.unit,
    declared.amount,
    declared.currency
from declared
where
    declared.usage_shown = 'full'
    or declared.included_quantity = 0
    or declared.billable_quantity <> 0
    or declared.amount <> 0
