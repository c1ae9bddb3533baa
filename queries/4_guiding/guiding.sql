-- guiding: whose usage is it? One row for each part of a record and item that
-- meters it, or one row that says why there is none.
--
-- grain:  landing_sequence, contract_item_id, part_number
-- reads:  item_usage
-- rule:   what is split sums to the whole, and a record that is counted counts in
--         its first part; a quantity, a price, and what both come to, of more than
--         16 digits before the point waits: a sum has 26, so that a number of 10
--         digits of them has room

with whole as (
    select
        item_usage.landing_sequence,
        item_usage.contract_item_id,
        item_usage.part_number,
        item_usage.cycle_start,
        item_usage.placed_at,
        case when not item_usage.is_counted then item_usage.part_end end as part_end,
        item_usage.product_id,
        item_usage.usage_type,
        item_usage.unit,
        item_usage.record_quantity,
        case
            when abs(item_usage.item_quantity) < 10000000000000000
                then cast(item_usage.item_quantity as decimal(38, 12))
        end as quantity,
        item_usage.record_price,
        -- Time from the start of the record [microseconds].
        cast(item_usage.placed_at as bigint)
        - cast(item_usage.usage_start as bigint) as elapsed_before,
        cast(item_usage.part_end as bigint)
        - cast(item_usage.usage_start as bigint) as elapsed_until,
        cast(item_usage.usage_end as bigint)
        - cast(item_usage.usage_start as bigint) as elapsed_whole,
        case
            when item_usage.is_anonymous then 'no identifier'
            when item_usage.is_disputed then 'identifiers disagree'
            when item_usage.contract_id is null then 'identifier not assigned'
            when not item_usage.is_known then 'unknown contract'
            when not item_usage.is_in_force then 'contract not in force'
            when item_usage.cycle_start is null then 'cycle not begun'
            when
                item_usage.contract_item_id is null
                and item_usage.tags is not null
                then concat(
                    'no contract item for usage type and its tags ',
                    item_usage.tags
                )
            when item_usage.contract_item_id is null
                then 'no contract item for usage type'
            when
                item_usage.quantity is null
                and item_usage.quantity_field = 'seconds'
                then 'no end'
            when item_usage.quantity is null and item_usage.is_counted
                then concat('no ', item_usage.counted_field)
            when item_usage.quantity is null
                then item_usage.quantity_trouble
            when coalesce(abs(item_usage.item_quantity) >= 10000000000000000, true)
                then concat(
                    item_usage.quantity_field,
                    case
                        when item_usage.block_quantity is null then ' has'
                        else ' in blocks has'
                    end,
                    ' more than 16 digits before the point'
                )
            when
                item_usage.quantity_field = 'quantity'
                and item_usage.block_quantity is null
                and item_usage.unit not in ('', item_usage.item_unit)
                then concat('unit is not ', item_usage.item_unit)
            when item_usage.price_trouble is not null
                then item_usage.price_trouble
            when abs(item_usage.record_price) >= 10000000000000000
                then concat(
                    item_usage.price_field,
                    ' has more than 16 digits before the point'
                )
            when
                item_usage.price_field is not null
                and coalesce(
                    abs(
                        try_prorate(
                            item_usage.record_price, item_usage.item_quantity, 1
                        )
                    ) >= 10000000000000000,
                    true
                )
                then concat(item_usage.price_field, ' and quantity are too large')
        end as suspense_reason,
        item_usage.contract_id,
        item_usage.billing_period
    from item_usage
    where item_usage.part_number = 1 or not item_usage.is_counted
)

select
    whole.landing_sequence,
    coalesce(whole.contract_item_id, '') as contract_item_id,
    cast(whole.part_number as integer) as part_number,
    whole.cycle_start,
    whole.placed_at as usage_start,
    whole.part_end,
    whole.product_id,
    whole.usage_type,
    whole.unit,
    whole.record_quantity,
    case
        when whole.part_end is null then whole.quantity
        else
            prorate(whole.quantity, whole.elapsed_until, whole.elapsed_whole)
            - prorate(
                whole.quantity, whole.elapsed_before, whole.elapsed_whole
            )
    end as quantity,
    whole.record_price,
    case
        when whole.part_end is not null
            then prorate(
                whole.record_price, whole.elapsed_until, whole.elapsed_whole
            )
            - prorate(
                whole.record_price, whole.elapsed_before, whole.elapsed_whole
            )
    end as price_share,
    whole.suspense_reason,
    case when whole.suspense_reason is not null then whole.contract_id end
        as contract_id,
    coalesce(whole.billing_period, 'none') as billing_period
from whole
