-- unpriced_usage: a price was applied to all usage of items whose usage is not free.
--
-- Usage that no row of its price is for waits in `suspense`, so none is left here:
-- neither a record, nor a sum without a tier, nor an amount that has no room.

with behind as (
    select
        metered_usage.contract_item_id,
        metered_usage.cycle_start,
        metered_usage.price_id,
        metered_usage.group_key
    from metered_usage
    inner join contract_item
        on metered_usage.contract_item_id = contract_item.contract_item_id
    where
        metered_usage.record_count > 0
        and contract_item.unpriced_usage = 'suspend'
),

unpriced as (
    select
        behind.contract_item_id,
        behind.cycle_start,
        behind.price_id,
        behind.group_key,
        'no price in force' as mistake
    from behind
    where behind.price_id = 'none'

    union all

    select distinct
        behind.contract_item_id,
        behind.cycle_start,
        behind.price_id,
        behind.group_key,
        'no rule or rate prices a record' as mistake
    from record_charge
    inner join behind
        on record_charge.contract_item_id = behind.contract_item_id
        and record_charge.cycle_start = behind.cycle_start
        and record_charge.price_id = behind.price_id
        and record_charge.group_key = behind.group_key
    where not record_charge.is_priced

    union all

    select
        behind.contract_item_id,
        behind.cycle_start,
        behind.price_id,
        behind.group_key,
        'the matrix has no price for the group' as mistake
    from price
    inner join behind
        on price.price_id = behind.price_id
    where
        price.charge_model = 'matrix'
        and price.unit_amount is null
        and not exists (
            select 1
            from matrix_price
            where
                matrix_price.price_id = behind.price_id
                and matrix_price.group_key = behind.group_key
        )
)

select
    priced_cycle.customer_id,
    unpriced.contract_item_id,
    unpriced.cycle_start,
    unpriced.price_id,
    unpriced.group_key,
    unpriced.mistake
from unpriced
inner join priced_cycle
    on unpriced.contract_item_id = priced_cycle.contract_item_id
    and unpriced.cycle_start = priced_cycle.cycle_start
    and unpriced.price_id = priced_cycle.price_id
