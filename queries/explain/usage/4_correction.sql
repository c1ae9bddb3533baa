-- correction: the corrections that settle it, or settled it when it was late or void
with record as (
    select usage_record.landing_sequence
    from usage_record
    where
        usage_record.transaction_id = $transaction_id
        and usage_record.source
        = coalesce(cast($source as varchar), usage_record.source)
),

settled as (
    select
        late_usage.contract_item_id,
        late_usage.counted_cycle_start as cycle_start,
        late_usage.counted_period as billing_period,
        case late_usage.policy when 'rerate' then 'rerated' else 'late' end
            as because
    from late_usage
    inner join record
        on late_usage.landing_sequence = record.landing_sequence
    where
        late_usage.suspense_reason is null
        and late_usage.policy in ('correct', 'rerate')

    union all

    select
        booked_usage.contract_item_id,
        booked_usage.cycle_start,
        booked_usage.billing_period,
        'late' as because
    from booked_usage
    inner join record
        on booked_usage.landing_sequence = record.landing_sequence
    where booked_usage.closed_in > booked_usage.billing_period

    union all

    select
        billed_usage.contract_item_id,
        billed_usage.cycle_start,
        billed_usage.billing_period,
        'rerated' as because
    from billed_usage
    inner join record
        on billed_usage.landing_sequence = record.landing_sequence
    inner join reopened_usage
        on billed_usage.landing_sequence = reopened_usage.landing_sequence
        and billed_usage.closed_in = reopened_usage.closed_in

    union all

    select
        booked_usage.contract_item_id,
        booked_usage.cycle_start,
        booked_usage.billing_period,
        'void' as because
    from booked_usage
    inner join record
        on booked_usage.landing_sequence = record.landing_sequence
    inner join usage_exclusion
        on booked_usage.landing_sequence = usage_exclusion.landing_sequence
)

select distinct
    settled.because,
    invoice_line.line_id,
    invoice_line.billing_period,
    invoice_line.corrected_period,
    invoice_line.amount as line_amount,
    invoice_line.currency
from settled
inner join invoice_line
    on settled.contract_item_id = invoice_line.contract_item_id
    and settled.cycle_start = invoice_line.cycle_start
    and settled.billing_period = invoice_line.corrected_period
order by
    invoice_line.line_id,
    settled.because
