-- suspense: which usage can be neither guided nor rated, and why?
--
-- grain:  landing_sequence
-- reads:  usage_record, guided_usage, guiding, price_gap, late_usage,
--         booked_usage, closed_period
-- rule:   if one part of a record cannot be placed or has at some time no price,
--         the whole record waits; what stands in closed books does not

with waiting as (
    select
        guiding.landing_sequence,
        guiding.suspense_reason
    from guiding
    where
        guiding.suspense_reason is not null
        and not exists (
            select 1
            from booked_usage
            where booked_usage.landing_sequence = guiding.landing_sequence
        )

    union all

    select
        late_usage.landing_sequence,
        late_usage.suspense_reason
    from late_usage
    where late_usage.suspense_reason is not null

    union all

    select
        guided_usage.landing_sequence,
        'no price in force' as suspense_reason
    from guided_usage
    inner join price_gap
        on guided_usage.contract_item_id = price_gap.contract_item_id
        and (
            price_gap.gap_from is null
            or guided_usage.usage_start >= price_gap.gap_from
            or guided_usage.part_end > price_gap.gap_from
        )
        and (
            price_gap.gap_to is null
            or guided_usage.usage_start < price_gap.gap_to
        )
    where not exists (
        select 1
        from closed_period
        where closed_period.billing_period = guided_usage.billing_period
    )
),

waiting_record as (
    select
        waiting.landing_sequence,
        min(waiting.suspense_reason) as suspense_reason
    from waiting
    group by waiting.landing_sequence
)

select
    usage_record.landing_sequence,
    usage_record.source,
    usage_record.transaction_id,
    usage_record.usage_type,
    usage_record.usage_start,
    coalesce(usage_record.unit, '') as unit,
    coalesce(usage_record.quantity, 0) as record_quantity,
    waiting_record.suspense_reason
from waiting_record
inner join usage_record
    on waiting_record.landing_sequence = usage_record.landing_sequence
