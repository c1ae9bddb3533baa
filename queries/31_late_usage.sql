-- late_usage: which usage came after its period closed, and where does it count?
--
-- grain:  landing_sequence, contract_item_id, part_number
-- reads:  guiding, closed_period, billed_usage, late_policy, item_cycle,
--         billing_cycle, contract_item
-- rule:   by default in the period it belongs to, which its correction settles;
--         an item that was not in the books then has to be rated again by hand;
--         where a contract's calendar changed since, the closed cycles are those
--         of the books

with last_closed as (
    select max(closed_period.billing_period) as billing_period
    from closed_period
),

open_cycle as (
    select
        contract_item.contract_item_id,
        min(billing_cycle.cycle_start) as cycle_start
    from contract_item
    inner join billing_cycle
        on contract_item.contract_id = billing_cycle.contract_id
    cross join last_closed
    where billing_cycle.billing_period > last_closed.billing_period
    group by contract_item.contract_item_id
),

late as (
    select
        guiding.landing_sequence,
        guiding.contract_item_id,
        guiding.part_number,
        guiding.cycle_start,
        guiding.usage_start,
        guiding.product_id,
        guiding.usage_type,
        guiding.unit,
        guiding.record_quantity,
        guiding.quantity,
        guiding.record_price,
        coalesce(late_policy.policy, 'correct') as policy,
        guiding.billing_period
    from guiding
    inner join closed_period
        on guiding.billing_period = closed_period.billing_period
    left join late_policy
        on guiding.usage_type = late_policy.usage_type
    where
        guiding.suspense_reason is null
        and not exists (
            select 1
            from billed_usage
            where billed_usage.landing_sequence = guiding.landing_sequence
        )
),

booked_item as (
    select distinct
        item_cycle.contract_item_id,
        item_cycle.billing_period
    from item_cycle
),

booked_cycle as (
    select
        late.landing_sequence,
        late.contract_item_id,
        late.part_number,
        coalesce(
            max(
                case
                    when item_cycle.cycle_start = late.cycle_start
                        then item_cycle.cycle_start
                end
            ),
            max(item_cycle.cycle_start)
        ) as cycle_start
    from late
    inner join item_cycle
        on late.contract_item_id = item_cycle.contract_item_id
        and (
            late.cycle_start = item_cycle.cycle_start
            or (
                late.billing_period = item_cycle.billing_period
                and late.usage_start >= item_cycle.cycle_start
                and late.usage_start < item_cycle.cycle_end
            )
        )
    group by
        late.landing_sequence,
        late.contract_item_id,
        late.part_number
),

booked_price as (
    select distinct
        late.landing_sequence,
        late.contract_item_id,
        late.part_number
    from late
    inner join booked_cycle
        on late.landing_sequence = booked_cycle.landing_sequence
        and late.contract_item_id = booked_cycle.contract_item_id
        and late.part_number = booked_cycle.part_number
    inner join item_cycle
        on late.contract_item_id = item_cycle.contract_item_id
        and booked_cycle.cycle_start = item_cycle.cycle_start
        and late.usage_start >= item_cycle.charge_from
        and late.usage_start < item_cycle.charge_to
    where item_cycle.price_id <> 'none'
),

placed as (
    select
        late.landing_sequence,
        late.contract_item_id,
        late.part_number,
        late.cycle_start,
        late.usage_start,
        late.product_id,
        late.usage_type,
        late.unit,
        late.record_quantity,
        late.quantity,
        late.record_price,
        late.policy,
        case
            when late.policy = 'next_period' then open_cycle.cycle_start
            else booked_cycle.cycle_start
        end as counted_cycle_start,
        case
            when late.policy = 'suspend' then 'late usage'
            when late.policy = 'next_period' and open_cycle.cycle_start is null
                then 'late usage without an open cycle'
            when late.policy = 'correct' and booked_item.billing_period is null
                then 'item not in the closed books'
            when late.policy = 'correct' and booked_cycle.cycle_start is null
                then 'outside the cycles of the closed books'
            when late.policy = 'correct' and booked_price.landing_sequence is null
                then 'no price in the closed books'
        end as suspense_reason,
        late.billing_period
    from late
    left join open_cycle
        on late.contract_item_id = open_cycle.contract_item_id
    left join booked_item
        on late.contract_item_id = booked_item.contract_item_id
        and late.billing_period = booked_item.billing_period
    left join booked_cycle
        on late.landing_sequence = booked_cycle.landing_sequence
        and late.contract_item_id = booked_cycle.contract_item_id
        and late.part_number = booked_cycle.part_number
    left join booked_price
        on late.landing_sequence = booked_price.landing_sequence
        and late.contract_item_id = booked_price.contract_item_id
        and late.part_number = booked_price.part_number
)

select
    placed.landing_sequence,
    placed.contract_item_id,
    placed.part_number,
    placed.cycle_start,
    placed.usage_start,
    placed.product_id,
    placed.usage_type,
    placed.unit,
    placed.record_quantity,
    placed.quantity,
    placed.record_price,
    placed.policy,
    placed.counted_cycle_start,
    case
        when placed.policy <> 'next_period' then placed.billing_period
        else counted_cycle.billing_period
    end as counted_period,
    placed.suspense_reason,
    placed.billing_period
from placed
left join contract_item
    on placed.contract_item_id = contract_item.contract_item_id
left join billing_cycle as counted_cycle
    on contract_item.contract_id = counted_cycle.contract_id
    and placed.counted_cycle_start = counted_cycle.cycle_start
