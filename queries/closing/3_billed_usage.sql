-- billed_usage: the usage that counts in the period that closes, or that its
-- corrections settle, with every part of each record.
--
-- grain:  landing_sequence, contract_item_id, part_number
-- reads:  guided_usage, closed_period, billed_usage, suspense

with closing_record as (
    select distinct guided_usage.landing_sequence
    from guided_usage
    inner join closed_period
        on guided_usage.billing_period = closed_period.billing_period
    where
        not exists (
            select 1
            from billed_usage
            where
                billed_usage.landing_sequence = guided_usage.landing_sequence
        )
        and not exists (
            select 1
            from suspense
            where suspense.landing_sequence = guided_usage.landing_sequence
        )
),

closing_period as (
    select max(closed_period.billing_period) as billing_period
    from closed_period
)

select
    guided_usage.landing_sequence,
    guided_usage.contract_item_id,
    guided_usage.part_number,
    guided_usage.cycle_start,
    guided_usage.usage_start,
    guided_usage.part_end,
    guided_usage.product_id,
    guided_usage.usage_type,
    guided_usage.unit,
    guided_usage.record_quantity,
    guided_usage.quantity,
    guided_usage.record_price,
    guided_usage.price_share,
    closing_period.billing_period as closed_in,
    guided_usage.billing_period
from guided_usage
inner join closing_record
    on guided_usage.landing_sequence = closing_record.landing_sequence
cross join closing_period
