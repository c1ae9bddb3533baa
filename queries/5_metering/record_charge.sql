-- record_charge: what does a record cost by itself, where its price is walked
-- record by record?
--
-- grain:  landing_sequence, contract_item_id, part_number
-- reads:  record_detail, by_record, price, known_model
-- rule:   each model that does so has a query in `by_record`; a record that no rule
--         or rate prices costs nothing, which only an item allows whose usage may be
--         free; what costs more than 16 digits before the point has no amount, see
--         the check record_amount: a sum has 26, so that a number of 10 digits of
--         them has room

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
        coalesce(by_record.is_paid, true) as is_paid,
        coalesce(by_record.paid_quantity, record_detail.quantity)
            as paid_quantity,
        coalesce(
            by_record.is_priced,
            price.charge_model = 'time_of_use' -- no length costs nothing
            and record_detail.quantity = 0
        ) as is_priced,
        case
            when by_record.landing_sequence is not null then by_record.amount
            else 0
        end as amount,
        record_detail.billing_period
    from price
    inner join known_model
        on price.charge_model = known_model.charge_model
        and known_model.prices = 'detail'
    inner join record_detail
        on price.price_id = record_detail.price_id
    left join by_record
        on record_detail.landing_sequence = by_record.landing_sequence
        and record_detail.contract_item_id = by_record.contract_item_id
        and record_detail.part_number = by_record.part_number
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
