-- receipt_status: what has the invoicing system booked of a closed period?
--
-- grain:  billing_period, customer_id, currency
-- reads:  billed_line, receipt
-- rule:   of the receipts of one document the last counts; a correction is a
--         line of a later period, and open there until it is booked

with last_receipt as (
    select
        receipt.billing_period,
        receipt.customer_id,
        receipt.document_number,
        max(receipt.receipt_number) as receipt_number
    from receipt
    group by
        receipt.billing_period,
        receipt.customer_id,
        receipt.document_number
),

booked as (
    select
        receipt.billing_period,
        receipt.customer_id,
        receipt.currency,
        count(*) as document_count,
        sum(receipt.amount) as booked_amount,
        max(receipt.received_at) as received_at
    from last_receipt
    inner join receipt
        on last_receipt.receipt_number = receipt.receipt_number
    group by
        receipt.billing_period,
        receipt.customer_id,
        receipt.currency
),

billed as (
    select
        billed_line.billing_period,
        billed_line.customer_id,
        billed_line.currency,
        sum(billed_line.amount) as billed_amount
    from billed_line
    group by
        billed_line.billing_period,
        billed_line.customer_id,
        billed_line.currency
)

select
    coalesce(billed.billing_period, booked.billing_period) as billing_period,
    coalesce(billed.customer_id, booked.customer_id) as customer_id,
    coalesce(billed.currency, booked.currency) as currency,
    coalesce(billed.billed_amount, 0) as billed_amount,
    coalesce(booked.booked_amount, 0) as booked_amount,
    coalesce(booked.document_count, 0) as document_count,
    booked.received_at,
    case
        when booked.document_count is null then 'missing'
        when billed.billed_amount is null and booked.booked_amount <> 0 then 'different'
        when billed.billed_amount <> booked.booked_amount then 'different'
        else 'booked'
    end as state
from billed
full outer join booked
    on billed.billing_period = booked.billing_period
    and billed.customer_id = booked.customer_id
    and billed.currency = booked.currency
