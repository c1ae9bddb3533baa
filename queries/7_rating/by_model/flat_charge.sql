-- flat_charge: what is a fee for the time that its price counts?
--
-- grain:  contract_item_id, cycle_start, price_id, group_key, tier_number
-- reads:  priced_quantity
-- money:  unrounded, decimal(38, 12)

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
