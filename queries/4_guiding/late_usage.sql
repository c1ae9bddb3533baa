-- late_usage: where does usage count that came after its period closed?
--
-- grain:  landing_sequence, contract_item_id, part_number
-- reads:  late_record, booked_place, closed_period, contract_item, billing_cycle
-- rule:   by default in the period it belongs to, which its correction settles; an
--         item that was not in the books then has to be rated again by hand

with last_closed as (
    select max(closed_period.billing_period) as billing_period
    from closed_period
),

open_cycle as (
    select
        contract_item.contract_item_id,
        min(billing_cycle.cycle_start) as cycle_start,
        min(billing_cycle.billing_period) as billing_period
    from contract_item
    inner join billing_cycle
        on contract_item.contract_id = billing_cycle.contract_id
    cross join last_closed
    where billing_cycle.billing_period > last_closed.billing_period
    group by contract_item.contract_item_id
)

select
    late_record.landing_sequence,
    late_record.contract_item_id,
    late_record.part_number,
    late_record.cycle_start,
    late_record.usage_start,
    late_record.part_end,
    late_record.product_id,
    late_record.usage_type,
    late_record.unit,
    late_record.record_quantity,
    late_record.quantity,
    late_record.record_price,
    late_record.price_share,
    late_record.policy,
    late_record.is_ahead,
    case late_record.policy
        when 'next_period' then open_cycle.cycle_start
        else booked_place.cycle_start
    end as counted_cycle_start,
    case late_record.policy
        when 'next_period' then open_cycle.billing_period
        else late_record.booked_period
    end as counted_period,
    case
        when late_record.policy = 'suspend' then 'late usage'
        when
            late_record.policy = 'next_period'
            and open_cycle.cycle_start is null
            then 'late usage without an open cycle'
        when late_record.policy = 'next_period' then null
        when booked_place.landing_sequence is null
            then 'item not in the closed books'
        when booked_place.cycle_start is null
            then 'outside the cycles of the closed books'
        when
            late_record.booked_period = late_record.billing_period
            and not booked_place.has_price
            then 'no price in the closed books'
    end as suspense_reason,
    late_record.billing_period
from late_record
left join open_cycle
    on late_record.contract_item_id = open_cycle.contract_item_id
left join booked_place
    on late_record.landing_sequence = booked_place.landing_sequence
    and late_record.contract_item_id = booked_place.contract_item_id
    and late_record.part_number = booked_place.part_number
