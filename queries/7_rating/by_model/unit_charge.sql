-- unit_charge: what do units cost, one by one or by the block?
--
-- grain:  contract_item_id, cycle_start, price_id, group_key, tier_number
-- reads:  by_unit
-- rule:   a block begun is charged whole, and once in the cycle, where its first
--         units are
-- money:  unrounded, decimal(38, 12)

with in_block as (
    select
        by_unit.contract_item_id,
        by_unit.cycle_start,
        by_unit.price_id,
        by_unit.group_key,
        by_unit.tier_number,
        by_unit.quantity,
        by_unit.block_quantity,
        by_unit.unit_amount,
        by_unit.flat_amount,
        by_unit.billing_period,
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

totalled as (
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
    totalled.contract_item_id,
    totalled.cycle_start,
    totalled.price_id,
    totalled.group_key,
    totalled.tier_number,
    totalled.quantity,
    totalled.block_count,
    totalled.unit_amount,
    totalled.flat_amount,
    totalled.unit_total + totalled.flat_amount as amount,
    totalled.billing_period
from totalled
