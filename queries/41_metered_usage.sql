-- metered_usage: how much did an item use in a cycle, at which price?
--
-- grain:  contract_item_id, cycle_start, price_id
-- reads:  item_cycle, guided_usage, suspense, price
-- rule:   usage takes the price in force at usage_start

with priced_usage as (
    select
        guided_usage.contract_item_id,
        guided_usage.cycle_start,
        coalesce(price.price_id, 'none') as price_id,
        count(*) as record_count,
        sum(guided_usage.quantity) as quantity,
        sum(
            case price.charge_model
                when 'record_price'
                    then cast(
                        guided_usage.quantity * guided_usage.record_price
                        as decimal(38, 12)
                    )
                when 'record_amount' then guided_usage.record_price
            end
        ) as record_amount,
        sum(
            cast(
                row_hash(
                    guided_usage.landing_sequence,
                    guided_usage.contract_item_id,
                    guided_usage.part_number
                ) as decimal(38, 0)
            )
        ) as id_hash
    from guided_usage
    left join price
        on guided_usage.product_id = price.product_id
        and guided_usage.usage_start >= price.valid_from
        and (
            price.valid_to is null
            or guided_usage.usage_start < price.valid_to
        )
    where not exists (
        select 1
        from suspense
        where suspense.landing_sequence = guided_usage.landing_sequence
    )
    group by
        guided_usage.contract_item_id,
        guided_usage.cycle_start,
        coalesce(price.price_id, 'none')
)

select
    item_cycle.contract_item_id,
    item_cycle.cycle_start,
    item_cycle.price_id,
    coalesce(priced_usage.record_count, 0) as record_count,
    coalesce(priced_usage.quantity, 0) as quantity,
    coalesce(priced_usage.record_amount, 0) as record_amount,
    coalesce(priced_usage.id_hash, 0) as id_hash,
    item_cycle.billing_period
from item_cycle
left join priced_usage
    on item_cycle.contract_item_id = priced_usage.contract_item_id
    and item_cycle.cycle_start = priced_usage.cycle_start
    and item_cycle.price_id = priced_usage.price_id
