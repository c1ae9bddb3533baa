-- priced_quantity: what is priced, by which price, and for which share of its time?
--
-- grain:  contract_item_id, cycle_start, price_id, group_key
-- reads:  paid_quantity, priced_cycle, price, interim_cycle
-- rule:   a fee that is not prorated is due with the first price in the cycle, a
--         volume price when the cycle has ended

select
    paid_quantity.contract_item_id,
    paid_quantity.cycle_start,
    paid_quantity.price_id,
    paid_quantity.group_key,
    price.charge_model,
    case price.charge_model
        when 'flat' then price.proration <> 'none' or priced_cycle.version_number = 1
        else interim_cycle.contract_item_id is null
    end as is_due,
    paid_quantity.quantity,
    paid_quantity.quantity_before,
    paid_quantity.block_quantity,
    case price.proration
        when 'none' then cast(1 as bigint)
        when 'time'
            then cast(priced_cycle.charge_to as bigint)
            - cast(priced_cycle.charge_from as bigint)
        else priced_cycle.days
    end as share_part,
    case price.proration
        when 'none' then cast(1 as bigint)
        when 'time'
            then cast(priced_cycle.full_end as bigint)
            - cast(priced_cycle.full_start as bigint)
        else priced_cycle.full_days
    end as share_whole,
    price.unit_amount,
    price.flat_amount,
    paid_quantity.record_amount,
    paid_quantity.billing_period
from paid_quantity
inner join priced_cycle
    on paid_quantity.contract_item_id = priced_cycle.contract_item_id
    and paid_quantity.cycle_start = priced_cycle.cycle_start
    and paid_quantity.price_id = priced_cycle.price_id
inner join price
    on paid_quantity.price_id = price.price_id
left join interim_cycle
    on paid_quantity.contract_item_id = interim_cycle.contract_item_id
    and paid_quantity.cycle_start = interim_cycle.cycle_start
    and price.charge_model in ('volume', 'level_volume')
    and not interim_cycle.volume_due
