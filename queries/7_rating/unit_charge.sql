-- unit_charge: what do units cost, one by one or by the block?
--
-- grain:  contract_item_id, cycle_start, price_id, group_key, tier_number
-- reads:  per_unit_charge, matrix_charge, graduated_charge, volume_charge,
--         level_volume_charge
-- rule:   a block begun is charged whole, and once in the cycle, where its first
--         units are; an amount of more than 20 digits is no charge, and a check
--         parks its customer
-- money:  unrounded, decimal(38, 12)

with by_unit as (
    select
        per_unit_charge.contract_item_id,
        per_unit_charge.cycle_start,
        per_unit_charge.price_id,
        per_unit_charge.group_key,
        cast(0 as integer) as tier_number,
        per_unit_charge.quantity,
        per_unit_charge.quantity_before,
        per_unit_charge.block_quantity,
        per_unit_charge.unit_amount,
        cast(0 as decimal(38, 12)) as flat_amount,
        per_unit_charge.billing_period
    from per_unit_charge

    union all

    select
        matrix_charge.contract_item_id,
        matrix_charge.cycle_start,
        matrix_charge.price_id,
        matrix_charge.group_key,
        cast(0 as integer) as tier_number,
        matrix_charge.quantity,
        matrix_charge.quantity_before,
        matrix_charge.block_quantity,
        matrix_charge.unit_amount,
        cast(0 as decimal(38, 12)) as flat_amount,
        matrix_charge.billing_period
    from matrix_charge

    union all

    select
        graduated_charge.contract_item_id,
        graduated_charge.cycle_start,
        graduated_charge.price_id,
        graduated_charge.group_key,
        graduated_charge.tier_number,
        graduated_charge.quantity,
        cast(null as decimal(38, 12)) as quantity_before,
        graduated_charge.block_quantity,
        graduated_charge.unit_amount,
        graduated_charge.flat_amount,
        graduated_charge.billing_period
    from graduated_charge

    union all

    select
        volume_charge.contract_item_id,
        volume_charge.cycle_start,
        volume_charge.price_id,
        volume_charge.group_key,
        volume_charge.tier_number,
        volume_charge.quantity,
        cast(null as decimal(38, 12)) as quantity_before,
        volume_charge.block_quantity,
        volume_charge.unit_amount,
        volume_charge.flat_amount,
        volume_charge.billing_period
    from volume_charge

    union all

    select
        level_volume_charge.contract_item_id,
        level_volume_charge.cycle_start,
        level_volume_charge.price_id,
        level_volume_charge.group_key,
        level_volume_charge.tier_number,
        level_volume_charge.quantity,
        cast(null as decimal(38, 12)) as quantity_before,
        level_volume_charge.block_quantity,
        level_volume_charge.unit_amount,
        level_volume_charge.flat_amount,
        level_volume_charge.billing_period
    from level_volume_charge
),

in_block as (
    select
        by_unit.*,
        try_round_ratio(
            greatest(coalesce(by_unit.quantity_before, 0) + by_unit.quantity, 0),
            1,
            by_unit.block_quantity,
            0,
            'ceil'
        )
        - case
            when by_unit.quantity_before is null then 0
            else
                try_round_ratio(
                    greatest(by_unit.quantity_before, 0),
                    1,
                    by_unit.block_quantity,
                    0,
                    'ceil'
                )
        end as block_count
    from by_unit
),

in_bounds as (
    select
        in_block.*,
        try_prorate( -- a product of all digits, rounded to 12 places
            case
                when in_block.block_quantity is null then in_block.quantity
                else in_block.block_count
            end,
            in_block.unit_amount,
            1
        ) as unit_total
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
