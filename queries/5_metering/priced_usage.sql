-- priced_usage: which price is in force for a record, and what does the record
-- cost where it is priced by itself?
--
-- grain:  landing_sequence, contract_item_id, part_number
-- reads:  counted_usage, price_part, suspense, price, record_tier
-- rule:   usage takes the price in force at usage_start; record_graduated lets
--         each record, or part of one, go through the tiers alone, up to the
--         record's maximum
-- money:  unrounded, decimal(38, 12); null where the cycle's sum is priced, and where
--         it has more than 16 digits before the point, see the check record_amount

with priced_part as (
    select
        counted_usage.landing_sequence,
        counted_usage.contract_item_id,
        counted_usage.part_number,
        counted_usage.cycle_start,
        counted_usage.usage_start,
        counted_usage.part_end,
        counted_usage.part_number as guided_part,
        counted_usage.product_id,
        counted_usage.quantity,
        counted_usage.record_price,
        coalesce(counted_usage.price_share, counted_usage.record_price)
            as record_amount,
        counted_usage.billing_period
    from counted_usage
    where not exists (
        select 1
        from price_part
        where
            price_part.landing_sequence = counted_usage.landing_sequence
            and price_part.contract_item_id = counted_usage.contract_item_id
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
        price_part.billing_period
    from price_part
    where not exists (
        select 1
        from suspense
        where
            suspense.landing_sequence = price_part.landing_sequence
            and not price_part.is_closed
    )
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
                    + try_prorate(
                        priced_part.quantity - record_tier.quantity_from,
                        record_tier.unit_amount,
                        1
                    )
            when 'record_price'
                then prorate(priced_part.quantity, priced_part.record_price, 1)
            when 'record_amount' then priced_part.record_amount
        end as record_amount,
        price.record_maximum,
        priced_part.billing_period
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
    case
        when placed.record_amount > placed.record_maximum
            then placed.record_maximum
        when abs(placed.record_amount) < 10000000000000000
            then placed.record_amount
    end as record_amount,
    placed.billing_period
from placed
