-- record_amount: what a record costs by itself has room.
--
-- More than 16 digits before the point is not an amount: a sum has 26, so that a number
-- of 10 digits of records has room in it.

with too_large as (
    select
        priced_usage.contract_item_id,
        priced_usage.cycle_start,
        priced_usage.price_id,
        priced_usage.landing_sequence,
        priced_usage.quantity
    from price
    inner join priced_usage
        on price.price_id = priced_usage.price_id
    where
        price.charge_model = 'record_graduated'
        and priced_usage.record_amount is null

    union all

    select
        record_charge.contract_item_id,
        record_charge.cycle_start,
        record_charge.price_id,
        record_charge.landing_sequence,
        record_charge.quantity
    from record_charge
    where record_charge.amount is null
)

select
    priced_cycle.customer_id,
    too_large.contract_item_id,
    too_large.cycle_start,
    too_large.price_id,
    too_large.landing_sequence,
    too_large.quantity
from too_large
inner join priced_cycle
    on too_large.contract_item_id = priced_cycle.contract_item_id
    and too_large.cycle_start = priced_cycle.cycle_start
    and too_large.price_id = priced_cycle.price_id
