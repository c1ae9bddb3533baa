-- record_charge: what does a record cost by itself, where its price is walked
-- record by record?
--
-- grain:  landing_sequence, contract_item_id, part_number
-- reads:  record_detail, percentage_charge, session_charge, dimension_charge,
--         price
-- rule:   a record that no rule or rate prices costs nothing, which only an item
--         allows whose usage may be free; what costs more than 16 digits before
--         the point has no amount, see the check record_amount: a sum has 26, so
--         that a number of 10 digits of them has room

with priced as (
    select
        record_detail.landing_sequence,
        record_detail.contract_item_id,
        record_detail.part_number,
        record_detail.cycle_start,
        record_detail.usage_start,
        record_detail.price_id,
        record_detail.group_key,
        record_detail.quantity,
        case price.charge_model
            when 'percentage' then percentage_charge.is_paid
            else true
        end as is_paid,
        case price.charge_model
            when 'percentage' then percentage_charge.paid_quantity
            else record_detail.quantity
        end as paid_quantity,
        case price.charge_model
            when 'dimension' then coalesce(dimension_charge.is_priced, false)
            when 'time_of_use'
                then session_charge.landing_sequence is not null
                    or record_detail.quantity = 0 -- no length costs nothing
            else true
        end as is_priced,
        case
            when price.charge_model = 'percentage' then percentage_charge.amount
            when dimension_charge.landing_sequence is not null
                then dimension_charge.amount
            when session_charge.landing_sequence is not null
                then session_charge.amount
            else 0
        end as amount,
        record_detail.billing_period
    from price
    inner join record_detail
        on price.price_id = record_detail.price_id
    left join percentage_charge
        on record_detail.landing_sequence = percentage_charge.landing_sequence
        and record_detail.contract_item_id = percentage_charge.contract_item_id
        and record_detail.part_number = percentage_charge.part_number
    left join session_charge
        on record_detail.landing_sequence = session_charge.landing_sequence
        and record_detail.contract_item_id = session_charge.contract_item_id
        and record_detail.part_number = session_charge.part_number
    left join dimension_charge
        on record_detail.landing_sequence = dimension_charge.landing_sequence
        and record_detail.contract_item_id = dimension_charge.contract_item_id
        and record_detail.part_number = dimension_charge.part_number
    where price.charge_model in ('percentage', 'time_of_use', 'dimension')
)

select
    priced.landing_sequence,
    priced.contract_item_id,
    priced.part_number,
    priced.cycle_start,
    priced.usage_start,
    priced.price_id,
    priced.group_key,
    priced.quantity,
    priced.is_paid,
    priced.paid_quantity,
    priced.is_priced,
    case when abs(priced.amount) < 10000000000000000 then priced.amount end
        as amount,
    priced.billing_period
from priced
