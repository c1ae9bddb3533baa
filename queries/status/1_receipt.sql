-- receipt: what the invoicing system has booked of closed periods, where it says so
select
    receipt_status.billing_period,
    receipt_status.currency,
    receipt_status.state,
    count(*) as customers,
    sum(receipt_status.billed_amount) as billed_amount,
    sum(receipt_status.booked_amount) as booked_amount
from receipt_status
where exists (
    select 1
    from receipt
)
group by
    receipt_status.billing_period,
    receipt_status.currency,
    receipt_status.state
order by
    receipt_status.billing_period,
    receipt_status.currency,
    receipt_status.state
