-- priced_usage: which price is in force for a record, and what does the record
-- cost where it is priced by itself?
--
-- grain:  landing_sequence, contract_item_id, part_number
-- reads:  guided_usage, price, record_tier, suspense
-- rule:   usage takes the price in force at usage_start; record_graduated lets
--         each record go through the tiers alone, up to the record's maximum
-- money:  unrounded, decimal(38, 12); null where the cycle's sum is priced

with placed as (
    select
        guided_usage.landing_sequence,
        guided_usage.contract_item_id,
        guided_usage.part_number,
        guided_usage.cycle_start,
        guided_usage.usage_start,
        price.price_id,
        guided_usage.quantity,
        case price.charge_model
            when 'record_graduated'
                then record_tier.amount_from
                    + cast(
                        (guided_usage.quantity - record_tier.quantity_from)
                        * record_tier.unit_amount as decimal(38, 12)
                    )
            when 'record_price'
                then cast(
                    guided_usage.quantity * guided_usage.record_price
                    as decimal(38, 12)
                )
            when 'record_amount' then guided_usage.record_price
        end as record_amount,
        price.record_maximum
    from guided_usage
    left join price
        on guided_usage.product_id = price.product_id
        and guided_usage.usage_start >= price.valid_from
        and (
            price.valid_to is null
            or guided_usage.usage_start < price.valid_to
        )
    left join record_tier
        on price.price_id = record_tier.price_id
        and (
            guided_usage.quantity > record_tier.quantity_from
            or record_tier.tier_number = 1 -- takes what is negative, too
        )
        and (
            record_tier.quantity_to is null
            or guided_usage.quantity <= record_tier.quantity_to
        )
    where not exists (
        select 1
        from suspense
        where suspense.landing_sequence = guided_usage.landing_sequence
    )
)

select
    placed.landing_sequence,
    placed.contract_item_id,
    placed.part_number,
    placed.cycle_start,
    placed.usage_start,
    coalesce(placed.price_id, 'none') as price_id,
    placed.quantity,
    least(
        placed.record_amount,
        coalesce(placed.record_maximum, placed.record_amount)
    ) as record_amount
from placed
