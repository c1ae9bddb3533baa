-- percentage_charge: what does a record cost at a percentage of it?
--
-- grain:  landing_sequence, contract_item_id, part_number
-- reads:  record_detail, price, record_allowance
-- rule:   the first records of a cycle are free until free_records are through
--         or free_quantity is used up, whichever is earlier, at all versions of the
--         price that have an allowance together; of the record that
--         crosses free_quantity only the part above it is charged; each part of
--         a split record counts, and the first bears the flat amount
-- money:  unrounded, decimal(38, 12); null where the percentage of a record has more
--         than 20 digits before the point

with in_order as (
    select
        record_detail.landing_sequence,
        record_detail.contract_item_id,
        record_detail.part_number,
        price.unit_amount,
        case record_detail.part_number
            when 1 then coalesce(price.flat_amount, 0)
            else 0
        end as flat_amount,
        record_allowance.free_records,
        record_allowance.free_quantity,
        record_allowance.record_minimum,
        price.record_maximum,
        record_detail.quantity,
        row_number() over record_order as record_number,
        sum(record_detail.quantity) over record_order as quantity_until
    from price
    inner join record_detail
        on price.price_id = record_detail.price_id
    left join record_allowance
        on price.price_id = record_allowance.price_id
    where price.charge_model = 'percentage'
    window record_order as (
        partition by
            record_detail.contract_item_id,
            record_detail.cycle_start,
            case
                when record_allowance.price_id is null
                    then record_detail.price_id
            end,
            record_detail.group_key
        order by
            case
                when record_allowance.record_order = 'arrival' then null
                else record_detail.usage_start
            end,
            record_detail.landing_sequence,
            record_detail.part_number
        rows between unbounded preceding and current row
    )
),

paid as (
    select
        in_order.*,
        case
            when in_order.record_number > in_order.free_records then true
            when in_order.quantity_until > in_order.free_quantity then true
            else
                in_order.free_records is null
                and in_order.free_quantity is null
        end as is_paid,
        case
            when in_order.record_number > in_order.free_records
                then in_order.quantity
            when in_order.free_quantity is not null
                then greatest(
                    least(
                        in_order.quantity,
                        in_order.quantity_until - in_order.free_quantity
                    ),
                    0
                )
            when in_order.free_records is not null then 0
            else in_order.quantity
        end as paid_quantity
    from in_order
),

shared as (
    select
        paid.*,
        try_prorate(paid.paid_quantity, paid.unit_amount, 1) as share_amount
    from paid
)

select
    shared.landing_sequence,
    shared.contract_item_id,
    shared.part_number,
    true as is_priced,
    shared.is_paid,
    shared.paid_quantity,
    case
        when shared.is_paid and shared.share_amount is not null
            then greatest(
                least(
                    shared.share_amount + shared.flat_amount,
                    shared.record_maximum -- null: no limit
                ),
                shared.record_minimum
            )
        when not shared.is_paid then 0
    end as amount
from shared
