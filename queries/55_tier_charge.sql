-- tier_charge: price each quantity by the charge model of its price.
--
-- grain:  contract_item_id, cycle_start, price_id, group_key, tier_number
-- reads:  priced_quantity, item_cycle, interim_cycle, price, price_tier,
--         price_matrix, measured_usage, level_tier, capacity_tier
-- rule:   graduated: a tier prices the units in (quantity_from, quantity_to];
--         volume: the tier that the quantity reaches prices all of it, when the
--         cycle has ended; the first tier's flat amount is due at zero usage; a
--         block begun is charged whole
-- money:  unrounded, decimal(38, 12)

with priced as (
    select
        priced_quantity.contract_item_id,
        priced_quantity.cycle_start,
        priced_quantity.price_id,
        priced_quantity.group_key,
        price.charge_model,
        item_cycle.version_number,
        item_cycle.days,
        item_cycle.full_days,
        item_cycle.charge_from,
        item_cycle.charge_to,
        item_cycle.full_start,
        item_cycle.full_end,
        price.unit_amount,
        price.flat_amount,
        price.proration,
        priced_quantity.quantity,
        priced_quantity.block_quantity,
        priced_quantity.record_amount,
        priced_quantity.billing_period
    from priced_quantity
    inner join item_cycle
        on priced_quantity.contract_item_id = item_cycle.contract_item_id
        and priced_quantity.cycle_start = item_cycle.cycle_start
        and priced_quantity.price_id = item_cycle.price_id
    inner join price
        on priced_quantity.price_id = price.price_id
    where
        price.charge_model not in ('volume', 'level_volume')
        or not exists (
            select 1
            from interim_cycle
            where
                interim_cycle.contract_item_id
                = priced_quantity.contract_item_id
                and interim_cycle.cycle_start = priced_quantity.cycle_start
                and not interim_cycle.volume_due
        )
),

tiered as (
    select
        priced.contract_item_id,
        priced.cycle_start,
        priced.price_id,
        priced.group_key,
        price_tier.tier_number,
        case priced.charge_model
            when 'volume' then priced.quantity
            else
                least(
                    priced.quantity,
                    coalesce(price_tier.quantity_to, priced.quantity)
                ) - case price_tier.tier_number
                    when 1 then 0 -- takes what is negative, too
                    else least(priced.quantity, price_tier.quantity_from)
                end
        end as quantity,
        price_tier.block_quantity,
        price_tier.unit_amount,
        price_tier.flat_amount,
        priced.billing_period
    from priced
    inner join price_tier
        on priced.price_id = price_tier.price_id
        and (
            priced.quantity > price_tier.quantity_from
            or price_tier.tier_number = 1
        )
        and (
            priced.charge_model = 'graduated'
            or priced.quantity
            <= coalesce(price_tier.quantity_to, priced.quantity)
        )
    where priced.charge_model in ('graduated', 'volume')
),

by_unit as (
    select
        priced.contract_item_id,
        priced.cycle_start,
        priced.price_id,
        priced.group_key,
        cast(0 as integer) as tier_number,
        priced.quantity,
        priced.block_quantity,
        priced.unit_amount,
        cast(0 as decimal(38, 12)) as flat_amount,
        priced.billing_period
    from priced
    where priced.charge_model = 'per_unit'

    union all

    select
        priced.contract_item_id,
        priced.cycle_start,
        priced.price_id,
        priced.group_key,
        cast(0 as integer) as tier_number,
        priced.quantity,
        priced.block_quantity,
        coalesce(price_matrix.unit_amount, priced.unit_amount, 0)
            as unit_amount,
        cast(0 as decimal(38, 12)) as flat_amount,
        priced.billing_period
    from priced
    left join price_matrix
        on priced.price_id = price_matrix.price_id
        and priced.group_key = price_matrix.group_key
    where priced.charge_model = 'matrix'

    union all

    -- The tier that the level reaches prices what is left of it after proration.
    select
        priced.contract_item_id,
        priced.cycle_start,
        priced.price_id,
        priced.group_key,
        price_tier.tier_number,
        priced.quantity,
        price_tier.block_quantity,
        price_tier.unit_amount,
        price_tier.flat_amount,
        priced.billing_period
    from priced
    left join measured_usage
        on priced.contract_item_id = measured_usage.contract_item_id
        and priced.cycle_start = measured_usage.cycle_start
        and priced.price_id = measured_usage.price_id
        and priced.group_key = measured_usage.group_key
    inner join price_tier
        on priced.price_id = price_tier.price_id
        and (
            measured_usage.full_quantity > price_tier.quantity_from
            or price_tier.tier_number = 1
        )
        and (
            price_tier.quantity_to is null
            or coalesce(measured_usage.full_quantity, 0)
            <= price_tier.quantity_to
        )
    where priced.charge_model = 'level_volume'

    union all

    select
        tiered.contract_item_id,
        tiered.cycle_start,
        tiered.price_id,
        tiered.group_key,
        tiered.tier_number,
        tiered.quantity,
        tiered.block_quantity,
        tiered.unit_amount,
        tiered.flat_amount,
        tiered.billing_period
    from tiered
),

in_block as (
    select
        by_unit.contract_item_id,
        by_unit.cycle_start,
        by_unit.price_id,
        by_unit.group_key,
        by_unit.tier_number,
        by_unit.quantity,
        round_ratio(
            greatest(by_unit.quantity, 0), 1, by_unit.block_quantity, 0, 'ceil'
        ) as block_count,
        by_unit.unit_amount,
        by_unit.flat_amount,
        by_unit.billing_period
    from by_unit
)

select
    in_block.contract_item_id,
    in_block.cycle_start,
    in_block.price_id,
    in_block.group_key,
    in_block.tier_number,
    in_block.quantity,
    in_block.block_count,
    in_block.unit_amount,
    in_block.flat_amount,
    cast(
        coalesce(in_block.block_count, in_block.quantity)
        * in_block.unit_amount as decimal(38, 12)
    ) + in_block.flat_amount as amount,
    in_block.billing_period
from in_block

union all

select
    priced.contract_item_id,
    priced.cycle_start,
    priced.price_id,
    priced.group_key,
    cast(0 as integer) as tier_number,
    priced.quantity,
    cast(null as decimal(38, 12)) as block_count,
    cast(null as decimal(38, 12)) as unit_amount,
    cast(0 as decimal(38, 12)) as flat_amount,
    priced.record_amount as amount,
    priced.billing_period
from priced
where
    priced.charge_model in (
        'record_graduated',
        'record_price',
        'record_amount',
        'percentage',
        'time_of_use',
        'dimension'
    )

union all

-- A fee that is not prorated is that of the first price in the cycle.
select
    priced.contract_item_id,
    priced.cycle_start,
    priced.price_id,
    priced.group_key,
    cast(0 as integer) as tier_number,
    priced.quantity,
    cast(null as decimal(38, 12)) as block_count,
    cast(null as decimal(38, 12)) as unit_amount,
    priced.flat_amount,
    case priced.proration
        when 'none' then priced.flat_amount
        when 'time'
            then prorate(
                priced.flat_amount,
                cast(priced.charge_to as bigint)
                - cast(priced.charge_from as bigint),
                cast(priced.full_end as bigint)
                - cast(priced.full_start as bigint)
            )
        else prorate(priced.flat_amount, priced.days, priced.full_days)
    end as amount,
    priced.billing_period
from priced
where
    priced.charge_model = 'flat'
    and (priced.proration <> 'none' or priced.version_number = 1)

union all

select
    priced.contract_item_id,
    priced.cycle_start,
    priced.price_id,
    priced.group_key,
    level_tier.tier_number,
    level_tier.quantity,
    cast(null as decimal(38, 12)) as block_count,
    level_tier.unit_amount,
    level_tier.flat_amount,
    level_tier.amount,
    priced.billing_period
from priced
inner join level_tier
    on priced.contract_item_id = level_tier.contract_item_id
    and priced.cycle_start = level_tier.cycle_start
    and priced.price_id = level_tier.price_id
    and priced.group_key = level_tier.group_key
where priced.charge_model = 'level_graduated'

union all

-- Without any level, or any move of it, the first tier's flat amount is due.
select
    priced.contract_item_id,
    priced.cycle_start,
    priced.price_id,
    priced.group_key,
    price_tier.tier_number,
    cast(0 as decimal(38, 12)) as quantity,
    cast(null as decimal(38, 12)) as block_count,
    price_tier.unit_amount,
    price_tier.flat_amount,
    price_tier.flat_amount as amount,
    priced.billing_period
from priced
inner join price_tier
    on priced.price_id = price_tier.price_id
    and price_tier.tier_number = 1
where
    priced.charge_model = 'level_graduated'
    and not exists (
        select 1
        from level_tier
        where
            level_tier.contract_item_id = priced.contract_item_id
            and level_tier.cycle_start = priced.cycle_start
            and level_tier.price_id = priced.price_id
            and level_tier.group_key = priced.group_key
    )

union all

select
    priced.contract_item_id,
    priced.cycle_start,
    priced.price_id,
    priced.group_key,
    coalesce(capacity_tier.tier_number, 0) as tier_number,
    priced.quantity,
    cast(null as decimal(38, 12)) as block_count,
    cast(null as decimal(38, 12)) as unit_amount,
    coalesce(price_tier.flat_amount, 0) as flat_amount,
    coalesce(price_tier.flat_amount, 0) as amount,
    priced.billing_period
from priced
left join capacity_tier
    on priced.contract_item_id = capacity_tier.contract_item_id
    and priced.cycle_start = capacity_tier.cycle_start
    and priced.price_id = capacity_tier.price_id
    and priced.group_key = capacity_tier.group_key
left join price_tier
    on capacity_tier.price_id = price_tier.price_id
    and capacity_tier.tier_number = price_tier.tier_number
where priced.charge_model = 'capacity'
