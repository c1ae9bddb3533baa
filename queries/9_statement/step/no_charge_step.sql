-- no_charge_step: why does a line of an item have no charge?
--
-- grain:  line_id
-- reads:  item_text, charge

select
    item_text.line_id,
    item_text.billing_period,
    item_text.currency,
    4 as stage,
    0 as place,
    'no charge' as what,
    case item_text.price_id
        when 'none' then 'usage without a price is free, and listed'
        else 'the price is charged when the cycle has ended'
    end as formula,
    cast(0 as decimal(38, 12)) as amount,
    item_text.price_text as by_rule,
    'tier_charge' as made_by
from item_text
where not exists (
    select 1
    from charge
    where
        charge.contract_item_id = item_text.contract_item_id
        and charge.cycle_start = item_text.cycle_start
        and charge.price_id = item_text.price_id
        and charge.billing_period = item_text.billing_period
        and charge.group_key = item_text.group_key
)
