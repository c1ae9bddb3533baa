-- charge: price each billable quantity by the charge model of its price.
--
-- grain:  contract_item_id, cycle_start, price_id, tier_number
-- reads:  billable_usage, item_cycle, price, price_tier
-- rule:   graduated: a tier prices the units in (quantity_from, quantity_to];
--         volume: the tier that the quantity reaches prices all of it; the
--         first tier's flat amount is due at zero usage
-- money:  unrounded, decimal(38, 12)

with billable as (
    select
        billable_usage.contract_item_id,
        billable_usage.cycle_start,
        billable_usage.price_id,
        price.charge_model,
        item_cycle.version_number,
        item_cycle.days,
        item_cycle.full_days,
        price.unit_amount,
        price.flat_amount,
        price.proration,
        billable_usage.billable_quantity as quantity,
        billable_usage.record_amount,
        billable_usage.billing_period
    from billable_usage
    inner join item_cycle
        on billable_usage.contract_item_id = item_cycle.contract_item_id
        and billable_usage.cycle_start = item_cycle.cycle_start
        and billable_usage.price_id = item_cycle.price_id
    inner join price
        on billable_usage.price_id = price.price_id
),

tiered as (
    select
        billable.contract_item_id,
        billable.cycle_start,
        billable.price_id,
        price_tier.tier_number,
        case billable.charge_model
            when 'volume' then billable.quantity
            else
                least(
                    billable.quantity,
                    coalesce(price_tier.quantity_to, billable.quantity)
                ) - case price_tier.tier_number
                    when 1 then 0 -- takes what is negative, too
                    else least(billable.quantity, price_tier.quantity_from)
                end
        end as quantity,
        price_tier.unit_amount,
        price_tier.flat_amount,
        billable.billing_period
    from billable
    inner join price_tier
        on billable.price_id = price_tier.price_id
        and (
            billable.quantity > price_tier.quantity_from
            or price_tier.tier_number = 1
        )
        and (
            billable.charge_model = 'graduated'
            or billable.quantity
            <= coalesce(price_tier.quantity_to, billable.quantity)
        )
    where billable.charge_model in ('graduated', 'volume')
)

select
    billable.contract_item_id,
    billable.cycle_start,
    billable.price_id,
    cast(0 as integer) as tier_number,
    billable.quantity,
    billable.unit_amount,
    cast(0 as decimal(38, 12)) as flat_amount,
    cast(
        billable.quantity * billable.unit_amount as decimal(38, 12)
    ) as amount,
    billable.billing_period
from billable
where billable.charge_model = 'per_unit'

union all

select
    tiered.contract_item_id,
    tiered.cycle_start,
    tiered.price_id,
    tiered.tier_number,
    tiered.quantity,
    tiered.unit_amount,
    tiered.flat_amount,
    cast(tiered.quantity * tiered.unit_amount as decimal(38, 12))
    + tiered.flat_amount as amount,
    tiered.billing_period
from tiered

union all

select
    billable.contract_item_id,
    billable.cycle_start,
    billable.price_id,
    cast(0 as integer) as tier_number,
    billable.quantity,
    cast(null as decimal(38, 12)) as unit_amount,
    cast(0 as decimal(38, 12)) as flat_amount,
    billable.record_amount as amount,
    billable.billing_period
from billable
where
    billable.charge_model
    in ('record_graduated', 'record_price', 'record_amount')

union all

-- A fee that is not prorated is that of the first price in the cycle.
select
    billable.contract_item_id,
    billable.cycle_start,
    billable.price_id,
    cast(0 as integer) as tier_number,
    billable.quantity,
    cast(null as decimal(38, 12)) as unit_amount,
    billable.flat_amount,
    case billable.proration
        when 'days'
            then prorate(billable.flat_amount, billable.days, billable.full_days)
        else billable.flat_amount
    end as amount,
    billable.billing_period
from billable
where
    billable.charge_model = 'flat'
    and (billable.proration = 'days' or billable.version_number = 1)
