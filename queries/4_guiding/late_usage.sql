-- late_usage: which usage came after its period closed, and where does it count?
--
-- grain:  landing_sequence, contract_item_id, part_number
-- reads:  guiding, closed_period, booked_usage, released_usage, late_policy,
--         item_cycle, billing_cycle, contract_item, usage_exclusion,
--         billed_statement
-- rule:   by default in the period it belongs to, which its correction settles;
--         an item that was not in the books then has to be rated again by hand;
--         what stood in a period that is rated again by other rules is settled
--         where it belongs now, but what had counted in the next period stays;
--         the rest of a record that closed ahead is late, too, if it was void or
--         waited when its own period closed; where a contract's calendar changed
--         since, the closed cycles are those of the books

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

released as (
    select
        released_usage.landing_sequence,
        max(released_usage.billing_period) as billing_period
    from released_usage
    group by released_usage.landing_sequence
),

late as (
    select
        guiding.landing_sequence,
        guiding.contract_item_id,
        guiding.part_number,
        guiding.cycle_start,
        guiding.usage_start,
        guiding.part_end,
        guiding.product_id,
        guiding.usage_type,
        guiding.unit,
        guiding.record_quantity,
        guiding.quantity,
        guiding.record_price,
        guiding.price_share,
        case
            when released.landing_sequence is not null then 'rerate'
            else coalesce(late_policy.policy, 'correct')
        end as policy,
        false as is_ahead,
        case late_policy.policy
            when 'next_period'
                then greatest(guiding.billing_period, released.billing_period)
            else guiding.billing_period
        end as booked_period,
        guiding.billing_period
    from guiding
    inner join closed_period
        on guiding.billing_period = closed_period.billing_period
    left join late_policy
        on guiding.usage_type = late_policy.usage_type
    left join released
        on guiding.landing_sequence = released.landing_sequence
    where guiding.suspense_reason is null

    union all

    select
        booked_usage.landing_sequence,
        booked_usage.contract_item_id,
        booked_usage.part_number,
        booked_usage.cycle_start,
        booked_usage.usage_start,
        booked_usage.part_end,
        booked_usage.product_id,
        booked_usage.usage_type,
        booked_usage.unit,
        booked_usage.record_quantity,
        booked_usage.quantity,
        booked_usage.record_price,
        booked_usage.price_share,
        'correct' as policy,
        true as is_ahead,
        booked_usage.billing_period as booked_period,
        booked_usage.billing_period
    from booked_usage
    inner join closed_period
        on booked_usage.billing_period = closed_period.billing_period
    where
        booked_usage.closed_in < booked_usage.billing_period
        and not exists (
            select 1
            from usage_exclusion
            where
                usage_exclusion.landing_sequence
                = booked_usage.landing_sequence
        )
        and not exists (
            select 1
            from billed_statement
            where
                billed_statement.billing_period = booked_usage.billing_period
                and billed_statement.landing_sequence
                = booked_usage.landing_sequence
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
            min(item_cycle.cycle_start)
        ) as cycle_start
    from late
    inner join item_cycle
        on late.contract_item_id = item_cycle.contract_item_id
        and case
            when late.booked_period <> late.billing_period
                then late.booked_period = item_cycle.billing_period
            else
                late.cycle_start = item_cycle.cycle_start
                or (
                    late.billing_period = item_cycle.billing_period
                    and late.usage_start >= item_cycle.cycle_start
                    and late.usage_start < item_cycle.cycle_end
                )
        end
    group by
        late.landing_sequence,
        late.contract_item_id,
        late.part_number
),

-- All of a part has to have a price, and what counts at an instant has one there.
booked_price as (
    select
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
        and coalesce(
            late.part_end, late.usage_start + interval '1 microsecond'
        ) > item_cycle.charge_from
        and late.usage_start < item_cycle.charge_to
    where item_cycle.price_id <> 'none'
    group by
        late.landing_sequence,
        late.contract_item_id,
        late.part_number,
        late.usage_start,
        late.part_end
    having
        late.part_end is null
        or sum(
            cast(least(late.part_end, item_cycle.charge_to) as bigint)
            - cast(
                greatest(late.usage_start, item_cycle.charge_from) as bigint
            )
        )
        = cast(late.part_end as bigint) - cast(late.usage_start as bigint)
),

placed as (
    select
        late.landing_sequence,
        late.contract_item_id,
        late.part_number,
        late.cycle_start,
        late.usage_start,
        late.part_end,
        late.product_id,
        late.usage_type,
        late.unit,
        late.record_quantity,
        late.quantity,
        late.record_price,
        late.price_share,
        late.policy,
        late.is_ahead,
        late.booked_period,
        case
            when late.policy = 'next_period' then open_cycle.cycle_start
            else booked_cycle.cycle_start
        end as counted_cycle_start,
        case
            when late.policy = 'suspend' then 'late usage'
            when late.policy = 'next_period' and open_cycle.cycle_start is null
                then 'late usage without an open cycle'
            when late.policy = 'next_period' then null
            when booked_item.billing_period is null
                then 'item not in the closed books'
            when booked_cycle.cycle_start is null
                then 'outside the cycles of the closed books'
            when
                late.booked_period = late.billing_period
                and booked_price.landing_sequence is null
                then 'no price in the closed books'
        end as suspense_reason,
        late.billing_period
    from late
    left join open_cycle
        on late.contract_item_id = open_cycle.contract_item_id
    left join booked_item
        on late.contract_item_id = booked_item.contract_item_id
        and late.booked_period = booked_item.billing_period
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
    placed.part_end,
    placed.product_id,
    placed.usage_type,
    placed.unit,
    placed.record_quantity,
    placed.quantity,
    placed.record_price,
    placed.price_share,
    placed.policy,
    placed.is_ahead,
    placed.counted_cycle_start,
    case
        when placed.policy <> 'next_period' then placed.booked_period
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
