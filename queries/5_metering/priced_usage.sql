-- priced_usage: which price is in force for a record, and what does the record
-- cost where it is priced by itself?
--
-- grain:  landing_sequence, contract_item_id, part_number
-- reads:  guided_usage, price_part, price, record_tier, suspense
-- rule:   usage takes the price in force at usage_start; record_graduated lets
--         each record, or part of one, go through the tiers alone, up to the
--         record's maximum
-- money:  unrounded, decimal(38, 12); null where the cycle's sum is priced

with priced_part as (
    select
        guided_usage.landing_sequence,
        guided_usage.contract_item_id,
        guided_usage.part_number,
        guided_usage.cycle_start,
        guided_usage.usage_start,
        guided_usage.part_end,
        guided_usage.part_number as guided_part,
        guided_usage.product_id,
        guided_usage.quantity,
        guided_usage.record_price,
        coalesce(guided_usage.price_share, guided_usage.record_price)
            as record_amount,
        guided_usage.is_closed
    from guided_usage
    where not exists (
        select 1
        from price_part
        where
            price_part.landing_sequence = guided_usage.landing_sequence
            and price_part.contract_item_id = guided_usage.contract_item_id
    )

    union all

    select
        price_part.landing_sequence,
        price_part.contract_item_id,
        price_part.part_number,
        price_part.cycle_start,
        price_part.usage_start,
        price_part.part_end,
        price_part.guided_part,
        price_part.product_id,
        price_part.quantity,
        price_part.record_price,
        price_part.price_share as record_amount,
        price_part.is_closed
    from price_part
),

placed as (
    select
        priced_part.landing_sequence,
        priced_part.contract_item_id,
        priced_part.part_number,
        priced_part.cycle_start,
        priced_part.usage_start,
        priced_part.part_end,
        priced_part.guided_part,
        price.price_id,
        priced_part.quantity,
        case price.charge_model
            when 'record_graduated'
                then record_tier.amount_from
                    + prorate(
                        priced_part.quantity - record_tier.quantity_from,
                        record_tier.unit_amount,
                        1
                    )
            when 'record_price'
                then prorate(priced_part.quantity, priced_part.record_price, 1)
            when 'record_amount' then priced_part.record_amount
        end as record_amount,
        price.record_maximum
    from priced_part
    left join price
        on priced_part.product_id = price.product_id
        and priced_part.usage_start >= price.valid_from
        and (
            price.valid_to is null
            or priced_part.usage_start < price.valid_to
        )
    left join record_tier
        on price.price_id = record_tier.price_id
        and (
            priced_part.quantity > record_tier.quantity_from
            or record_tier.tier_number = 1 -- takes what is negative, too
        )
        and (
            record_tier.quantity_to is null
            or priced_part.quantity <= record_tier.quantity_to
        )
    where not exists (
        select 1
        from suspense
        where
            suspense.landing_sequence = priced_part.landing_sequence
            and not priced_part.is_closed
    )
)

select
    placed.landing_sequence,
    placed.contract_item_id,
    placed.part_number,
    placed.cycle_start,
    placed.usage_start,
    placed.part_end,
    placed.guided_part,
    coalesce(placed.price_id, 'none') as price_id,
    placed.quantity,
    least(
        placed.record_amount,
        coalesce(placed.record_maximum, placed.record_amount)
    ) as record_amount
from placed
