-- tier_charge: price each quantity by the charge model of its price.
--
-- grain:  contract_item_id, cycle_start, price_id, group_key, tier_number
-- reads:  priced_quantity, price_tier, matrix_price, measured_usage, level_tier,
--         capacity_tier
-- rule:   graduated: a tier prices the units in (quantity_from, quantity_to];
--         volume: the tier that the quantity reaches prices all of it, when the
--         cycle has ended; the first tier's flat amount is due at zero usage,
--         where tiers go on once; a block begun is charged whole, and once in the
--         cycle, where its first units are
-- money:  unrounded, decimal(38, 12)

with tiered as (
    select
        priced_quantity.contract_item_id,
        priced_quantity.cycle_start,
        priced_quantity.price_id,
        priced_quantity.group_key,
        price_tier.tier_number,
        case priced_quantity.charge_model
            when 'volume' then priced_quantity.quantity
            else
                least(
                    priced_quantity.quantity,
                    coalesce(price_tier.quantity_to, priced_quantity.quantity)
                ) - case price_tier.tier_number
                    when 1 then 0 -- takes what is negative, too
                    else least(priced_quantity.quantity, price_tier.quantity_from)
                end
        end as quantity,
        price_tier.block_quantity,
        price_tier.unit_amount,
        price_tier.flat_amount,
        priced_quantity.billing_period
    from priced_quantity
    inner join price_tier
        on priced_quantity.price_id = price_tier.price_id
        and (
            priced_quantity.quantity > price_tier.quantity_from
            or price_tier.tier_number = 1
        )
        and (
            priced_quantity.charge_model = 'graduated'
            or priced_quantity.quantity
            <= coalesce(price_tier.quantity_to, priced_quantity.quantity)
        )
    where
        priced_quantity.charge_model in ('graduated', 'volume')
        and priced_quantity.is_due
        and priced_quantity.quantity_before is null
),

-- Where tiers go on: what is in a tier by now, less what was there before.
tiered_on as (
    select
        priced_quantity.contract_item_id,
        priced_quantity.cycle_start,
        priced_quantity.price_id,
        priced_quantity.group_key,
        price_tier.tier_number,
        least(
            priced_quantity.quantity_before + priced_quantity.quantity,
            price_tier.quantity_to -- null is no limit
        )
        - least(priced_quantity.quantity_before, price_tier.quantity_to)
        - case price_tier.tier_number
            when 1 then 0
            else
                least(
                    priced_quantity.quantity_before + priced_quantity.quantity,
                    price_tier.quantity_from
                )
                - least(
                    priced_quantity.quantity_before, price_tier.quantity_from
                )
        end as quantity,
        price_tier.unit_amount,
        case
            when
                price_tier.tier_number > 1
                and priced_quantity.quantity_before <= price_tier.quantity_from
                and priced_quantity.quantity_before + priced_quantity.quantity
                > price_tier.quantity_from
                then price_tier.flat_amount
            else 0
        end as flat_amount,
        priced_quantity.billing_period
    from priced_quantity
    inner join price_tier
        on priced_quantity.price_id = price_tier.price_id
    where
        priced_quantity.charge_model = 'graduated'
        and priced_quantity.quantity_before is not null
),

by_unit as (
    select
        priced_quantity.contract_item_id,
        priced_quantity.cycle_start,
        priced_quantity.price_id,
        priced_quantity.group_key,
        cast(0 as integer) as tier_number,
        priced_quantity.quantity,
        priced_quantity.quantity_before,
        priced_quantity.block_quantity,
        priced_quantity.unit_amount,
        cast(0 as decimal(38, 12)) as flat_amount,
        priced_quantity.billing_period
    from priced_quantity
    where priced_quantity.charge_model = 'per_unit'

    union all

    select
        priced_quantity.contract_item_id,
        priced_quantity.cycle_start,
        priced_quantity.price_id,
        priced_quantity.group_key,
        cast(0 as integer) as tier_number,
        priced_quantity.quantity,
        priced_quantity.quantity_before,
        priced_quantity.block_quantity,
        coalesce(matrix_price.unit_amount, priced_quantity.unit_amount, 0)
            as unit_amount,
        cast(0 as decimal(38, 12)) as flat_amount,
        priced_quantity.billing_period
    from priced_quantity
    left join matrix_price
        on priced_quantity.price_id = matrix_price.price_id
        and priced_quantity.group_key = matrix_price.group_key
    where priced_quantity.charge_model = 'matrix'

    union all

    -- The tier that the level reaches prices what is left of it after proration.
    select
        priced_quantity.contract_item_id,
        priced_quantity.cycle_start,
        priced_quantity.price_id,
        priced_quantity.group_key,
        price_tier.tier_number,
        priced_quantity.quantity,
        cast(null as decimal(38, 12)) as quantity_before,
        price_tier.block_quantity,
        price_tier.unit_amount,
        price_tier.flat_amount,
        priced_quantity.billing_period
    from priced_quantity
    left join measured_usage
        on priced_quantity.contract_item_id = measured_usage.contract_item_id
        and priced_quantity.cycle_start = measured_usage.cycle_start
        and priced_quantity.price_id = measured_usage.price_id
        and priced_quantity.group_key = measured_usage.group_key
    inner join price_tier
        on priced_quantity.price_id = price_tier.price_id
        and (
            measured_usage.full_quantity > price_tier.quantity_from
            or price_tier.tier_number = 1
        )
        and (
            price_tier.quantity_to is null
            or coalesce(measured_usage.full_quantity, 0)
            <= price_tier.quantity_to
        )
    where
        priced_quantity.charge_model = 'level_volume'
        and priced_quantity.is_due

    union all

    select
        tiered.contract_item_id,
        tiered.cycle_start,
        tiered.price_id,
        tiered.group_key,
        tiered.tier_number,
        tiered.quantity,
        cast(null as decimal(38, 12)) as quantity_before,
        tiered.block_quantity,
        tiered.unit_amount,
        tiered.flat_amount,
        tiered.billing_period
    from tiered

    union all

    select
        tiered_on.contract_item_id,
        tiered_on.cycle_start,
        tiered_on.price_id,
        tiered_on.group_key,
        tiered_on.tier_number,
        tiered_on.quantity,
        cast(null as decimal(38, 12)) as quantity_before,
        cast(null as decimal(38, 12)) as block_quantity,
        tiered_on.unit_amount,
        tiered_on.flat_amount,
        tiered_on.billing_period
    from tiered_on
    where tiered_on.quantity <> 0
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
            greatest(coalesce(by_unit.quantity_before, 0) + by_unit.quantity, 0),
            1,
            by_unit.block_quantity,
            0,
            'ceil'
        )
        - case
            when by_unit.quantity_before is null then 0
            else
                round_ratio(
                    greatest(by_unit.quantity_before, 0),
                    1,
                    by_unit.block_quantity,
                    0,
                    'ceil'
                )
        end as block_count,
        by_unit.unit_amount,
        by_unit.flat_amount,
        by_unit.billing_period
    from by_unit
),

-- An amount of more than 20 digits is no charge; a check parks its customer.
in_bounds as (
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
        try_prorate( -- a product of all digits, rounded to 12 places
            coalesce(in_block.block_count, in_block.quantity),
            in_block.unit_amount,
            1
        ) as unit_total,
        in_block.billing_period
    from in_block
)

select
    in_bounds.contract_item_id,
    in_bounds.cycle_start,
    in_bounds.price_id,
    in_bounds.group_key,
    in_bounds.tier_number,
    in_bounds.quantity,
    in_bounds.block_count,
    in_bounds.unit_amount,
    in_bounds.flat_amount,
    in_bounds.unit_total + in_bounds.flat_amount as amount,
    in_bounds.billing_period
from in_bounds
where abs(in_bounds.unit_total) < 100000000000000000000

union all

select
    priced_quantity.contract_item_id,
    priced_quantity.cycle_start,
    priced_quantity.price_id,
    priced_quantity.group_key,
    cast(0 as integer) as tier_number,
    priced_quantity.quantity,
    cast(null as decimal(38, 12)) as block_count,
    cast(null as decimal(38, 12)) as unit_amount,
    cast(0 as decimal(38, 12)) as flat_amount,
    priced_quantity.record_amount as amount,
    priced_quantity.billing_period
from priced_quantity
where
    priced_quantity.charge_model in (
        'record_graduated',
        'record_price',
        'record_amount',
        'percentage',
        'time_of_use',
        'dimension'
    )

union all

select
    priced_quantity.contract_item_id,
    priced_quantity.cycle_start,
    priced_quantity.price_id,
    priced_quantity.group_key,
    cast(0 as integer) as tier_number,
    priced_quantity.quantity,
    cast(null as decimal(38, 12)) as block_count,
    cast(null as decimal(38, 12)) as unit_amount,
    priced_quantity.flat_amount,
    case
        when priced_quantity.share_part = priced_quantity.share_whole
            then priced_quantity.flat_amount
        else
            prorate(
                priced_quantity.flat_amount,
                priced_quantity.share_part,
                priced_quantity.share_whole
            )
    end as amount,
    priced_quantity.billing_period
from priced_quantity
where
    priced_quantity.charge_model = 'flat'
    and priced_quantity.is_due

union all

select
    priced_quantity.contract_item_id,
    priced_quantity.cycle_start,
    priced_quantity.price_id,
    priced_quantity.group_key,
    level_tier.tier_number,
    level_tier.quantity,
    cast(null as decimal(38, 12)) as block_count,
    level_tier.unit_amount,
    level_tier.flat_amount,
    level_tier.amount,
    priced_quantity.billing_period
from priced_quantity
inner join level_tier
    on priced_quantity.contract_item_id = level_tier.contract_item_id
    and priced_quantity.cycle_start = level_tier.cycle_start
    and priced_quantity.price_id = level_tier.price_id
    and priced_quantity.group_key = level_tier.group_key
where priced_quantity.charge_model = 'level_graduated'

union all

-- Without any level, or any move of it, the first tier's flat amount is due.
select
    priced_quantity.contract_item_id,
    priced_quantity.cycle_start,
    priced_quantity.price_id,
    priced_quantity.group_key,
    price_tier.tier_number,
    cast(0 as decimal(38, 12)) as quantity,
    cast(null as decimal(38, 12)) as block_count,
    price_tier.unit_amount,
    price_tier.flat_amount,
    price_tier.flat_amount as amount,
    priced_quantity.billing_period
from priced_quantity
inner join price_tier
    on priced_quantity.price_id = price_tier.price_id
    and price_tier.tier_number = 1
where
    priced_quantity.charge_model = 'level_graduated'
    and not exists (
        select 1
        from level_tier
        where
            level_tier.contract_item_id = priced_quantity.contract_item_id
            and level_tier.cycle_start = priced_quantity.cycle_start
            and level_tier.price_id = priced_quantity.price_id
            and level_tier.group_key = priced_quantity.group_key
    )

union all

select
    priced_quantity.contract_item_id,
    priced_quantity.cycle_start,
    priced_quantity.price_id,
    priced_quantity.group_key,
    coalesce(capacity_tier.tier_number, 0) as tier_number,
    priced_quantity.quantity,
    cast(null as decimal(38, 12)) as block_count,
    cast(null as decimal(38, 12)) as unit_amount,
    coalesce(price_tier.flat_amount, 0) as flat_amount,
    coalesce(price_tier.flat_amount, 0) as amount,
    priced_quantity.billing_period
from priced_quantity
left join capacity_tier
    on priced_quantity.contract_item_id = capacity_tier.contract_item_id
    and priced_quantity.cycle_start = capacity_tier.cycle_start
    and priced_quantity.price_id = capacity_tier.price_id
    and priced_quantity.group_key = capacity_tier.group_key
left join price_tier
    on capacity_tier.price_id = price_tier.price_id
    and capacity_tier.tier_number = price_tier.tier_number
where priced_quantity.charge_model = 'capacity'
