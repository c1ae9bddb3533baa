-- graduated_charge: which units does a graduated price find in each of its tiers?
--
-- grain:  contract_item_id, cycle_start, price_id, group_key, tier_number
-- reads:  priced_quantity, price_tier
-- rule:   a tier prices the units in (quantity_from, quantity_to]; the first
--         tier's flat amount is due at zero usage; where tiers go on, a tier has
--         what is in it by now, less what was there before; its flat amount is due
--         when it is reached, and given back when usage taken back leaves it

with tier_on as (
    select
        priced_quantity.contract_item_id,
        priced_quantity.cycle_start,
        priced_quantity.price_id,
        priced_quantity.group_key,
        price_tier.tier_number,
        least(
            priced_quantity.quantity_before + priced_quantity.quantity,
            price_tier.quantity_to -- null: no limit
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
            when
                price_tier.tier_number > 1
                and priced_quantity.quantity_before > price_tier.quantity_from
                and priced_quantity.quantity_before + priced_quantity.quantity
                <= price_tier.quantity_from
                then 0 - price_tier.flat_amount -- usage taken back leaves the tier
            else 0
        end as flat_amount,
        priced_quantity.billing_period
    from priced_quantity
    inner join price_tier
        on priced_quantity.price_id = price_tier.price_id
    where
        priced_quantity.charge_model = 'graduated'
        and priced_quantity.quantity_before is not null
)

select
    priced_quantity.contract_item_id,
    priced_quantity.cycle_start,
    priced_quantity.price_id,
    priced_quantity.group_key,
    price_tier.tier_number,
    least(
        priced_quantity.quantity,
        coalesce(price_tier.quantity_to, priced_quantity.quantity)
    ) - case price_tier.tier_number
        when 1 then 0 -- takes what is negative, too
        else least(priced_quantity.quantity, price_tier.quantity_from)
    end as quantity,
    cast(null as decimal(38, 12)) as quantity_before,
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
where
    priced_quantity.charge_model = 'graduated'
    and priced_quantity.quantity_before is null

union all

select
    tier_on.contract_item_id,
    tier_on.cycle_start,
    tier_on.price_id,
    tier_on.group_key,
    tier_on.tier_number,
    tier_on.quantity,
    cast(null as decimal(38, 12)) as quantity_before,
    cast(null as decimal(38, 12)) as block_quantity,
    tier_on.unit_amount,
    tier_on.flat_amount,
    tier_on.billing_period
from tier_on
where tier_on.quantity <> 0
