-- booked_place: which cycle has late usage in the books of its period, and a price
-- there?
--
-- grain:  landing_sequence, contract_item_id, part_number
-- reads:  late_record, booked_item
-- rule:   an item that the books of the period do not have has no row; where a
--         contract's calendar changed since, the closed cycles are those of the
--         books; all of a part has to have a price, and what counts at an instant
--         has one there

with booked as (
    select distinct
        booked_item.contract_item_id,
        booked_item.billing_period
    from booked_item
),

late as (
    select
        late_record.landing_sequence,
        late_record.contract_item_id,
        late_record.part_number,
        late_record.cycle_start,
        late_record.usage_start,
        late_record.part_end,
        late_record.booked_period,
        late_record.billing_period
    from late_record
    inner join booked
        on late_record.contract_item_id = booked.contract_item_id
        and late_record.booked_period = booked.billing_period
),

booked_cycle as (
    select
        late.landing_sequence,
        late.contract_item_id,
        late.part_number,
        late.usage_start,
        late.part_end,
        coalesce(
            max(
                case
                    when booked_item.cycle_start = late.cycle_start
                        then booked_item.cycle_start
                end
            ),
            min(booked_item.cycle_start)
        ) as cycle_start
    from late
    left join booked_item
        on late.contract_item_id = booked_item.contract_item_id
        and case
            when late.booked_period <> late.billing_period
                then late.booked_period = booked_item.billing_period
            else
                late.cycle_start = booked_item.cycle_start
                or (
                    late.billing_period = booked_item.billing_period
                    and late.usage_start >= booked_item.cycle_start
                    and late.usage_start < booked_item.cycle_end
                )
        end
    group by
        late.landing_sequence,
        late.contract_item_id,
        late.part_number,
        late.usage_start,
        late.part_end
)

select
    booked_cycle.landing_sequence,
    booked_cycle.contract_item_id,
    booked_cycle.part_number,
    booked_cycle.cycle_start,
    coalesce(
        case
            when booked_cycle.part_end is null then count(booked_item.price_id) > 0
            else
                sum(
                    cast(
                        least(booked_cycle.part_end, booked_item.charge_to)
                        as bigint
                    )
                    - cast(
                        greatest(
                            booked_cycle.usage_start, booked_item.charge_from
                        ) as bigint
                    )
                )
                = cast(booked_cycle.part_end as bigint)
                - cast(booked_cycle.usage_start as bigint)
        end,
        false
    ) as has_price
from booked_cycle
left join booked_item
    on booked_cycle.contract_item_id = booked_item.contract_item_id
    and booked_cycle.cycle_start = booked_item.cycle_start
    and booked_item.price_id <> 'none'
    and coalesce(
        booked_cycle.part_end,
        booked_cycle.usage_start + interval '1 microsecond'
    ) > booked_item.charge_from
    and booked_cycle.usage_start < booked_item.charge_to
group by
    booked_cycle.landing_sequence,
    booked_cycle.contract_item_id,
    booked_cycle.part_number,
    booked_cycle.usage_start,
    booked_cycle.part_end,
    booked_cycle.cycle_start
