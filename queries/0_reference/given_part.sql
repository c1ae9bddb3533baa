-- given_part: what is there of a price for its charge model?
--
-- grain:  price_id, part, as often as it is there
-- reads:  price, price_modifier, price_tier, price_matrix, capacity_limit,
--         record_allowance, rate_schedule, rate_window, dimension_rule,
--         contract_item, interim_cycle
-- rule:   see known_model for who takes what

with given as (
    select
        price.price_id,
        unnest([
            case when price.unit_amount is not null then 'unit_amount' end,
            case when price.flat_amount is not null then 'flat_amount' end,
            case when price.proration <> 'none' then 'proration' end
        ]) as part
    from price

    union all

    select
        price_modifier.price_id,
        unnest([
            case
                when
                    price_modifier.convert_factor <> 1
                    or price_modifier.convert_divisor <> 1
                    or price_modifier.convert_rounding <> 'none'
                    then 'convert'
            end,
            case when price_modifier.free_quantity <> 0 then 'free_quantity' end,
            case
                when price_modifier.block_quantity is not null then 'block_quantity'
            end,
            case when price_modifier.tiers_go_on then 'tiers_go_on' end,
            case
                when price_modifier.zero_quantity <> 'charged' then 'zero_quantity'
            end
        ]) as part
    from price_modifier

    union all

    select
        price_tier.price_id,
        unnest([
            'price_tier',
            case
                when price_tier.unit_amount <> 0 then 'unit_amount in price_tier'
            end,
            case
                when
                    price_tier.quantity_from <> 0
                    or price_tier.quantity_to is not null
                    then 'bounds in price_tier'
            end,
            case
                when price_tier.block_quantity is not null
                    then 'block_quantity in price_tier'
            end
        ]) as part
    from price_tier

    union all

    select
        price_matrix.price_id,
        'price_matrix' as part
    from price_matrix

    union all

    select
        capacity_limit.price_id,
        'capacity_limit' as part
    from capacity_limit

    union all

    select
        record_allowance.price_id,
        'record_allowance' as part
    from record_allowance

    union all

    select
        rate_schedule.price_id,
        'rate_schedule' as part
    from rate_schedule

    union all

    select
        rate_window.price_id,
        'rate_window' as part
    from rate_window

    union all

    select
        dimension_rule.price_id,
        'dimension_rule' as part
    from dimension_rule

    union all

    select
        price.price_id,
        'quota_id of an item' as part
    from contract_item
    inner join price
        on contract_item.product_id = price.product_id
    where contract_item.quota_id is not null

    union all

    select
        price.price_id,
        'volume_due of an interim_cycle' as part
    from interim_cycle
    inner join contract_item
        on interim_cycle.contract_item_id = contract_item.contract_item_id
    inner join price
        on contract_item.product_id = price.product_id
        and interim_cycle.cycle_start >= price.valid_from
        and (
            price.valid_to is null
            or interim_cycle.cycle_start < price.valid_to
        )
    where interim_cycle.volume_due
)

select
    given.price_id,
    given.part
from given
where given.part is not null
