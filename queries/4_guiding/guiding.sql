-- guiding: whose usage is it? One row for each part of a record and item that
-- meters it, or one row that says why there is none.
--
-- grain:  landing_sequence, contract_item_id, part_number
-- reads:  usage_filtered, usage_tag, contract, contract_identifier,
--         contract_item, billing_cycle, open_usage, span_rule, usage_part
-- rule:   of several identifiers the contract id wins; a disagreement suspends;
--         an item that asks for a tag meters only usage that bears it; a block
--         begun counts as one, away from zero where usage is negative; what is
--         split sums to the whole, and a record that is counted counts in its
--         first part; a quantity, a price, and what both come to, of more than 16
--         digits before the point waits: a sum has 26, so that a number of 10 digits
--         of them has room

with timed as (
    select
        open_usage.landing_sequence,
        coalesce(usage_part.part_number, 1) as part_number,
        open_usage.usage_type,
        open_usage.usage_start,
        open_usage.usage_end,
        open_usage.has_end,
        case span_rule.placed_by
            when 'end'
                then greatest(
                    open_usage.usage_end - interval '1 microsecond',
                    open_usage.usage_start
                )
            else open_usage.usage_start
        end as identified_at,
        usage_part.part_start,
        case
            when
                span_rule.placed_by = 'split'
                and open_usage.usage_end > open_usage.usage_start
                then coalesce(usage_part.part_end, open_usage.usage_end)
        end as part_end,
        open_usage.contract_id,
        open_usage.account_id,
        open_usage.vin,
        open_usage.quantity,
        open_usage.unit,
        open_usage.fields
    from open_usage
    left join span_rule
        on open_usage.usage_type = span_rule.usage_type
    left join usage_part
        on open_usage.landing_sequence = usage_part.landing_sequence
    where not exists (
        select 1
        from usage_filtered
        where usage_filtered.landing_sequence = open_usage.landing_sequence
    )
),

assigned as (
    select
        timed.landing_sequence,
        timed.part_number,
        timed.usage_type,
        coalesce(timed.part_start, timed.identified_at) as placed_at,
        timed.part_end,
        timed.usage_start,
        timed.usage_end,
        timed.has_end,
        coalesce(
            timed.contract_id,
            by_account.contract_id,
            by_vin.contract_id
        ) as contract_id,
        timed.contract_id is null
        and timed.account_id is null
        and timed.vin is null as is_anonymous,
        coalesce(timed.contract_id <> by_account.contract_id, false)
        or coalesce(timed.contract_id <> by_vin.contract_id, false)
        or coalesce(by_account.contract_id <> by_vin.contract_id, false)
            as is_disputed,
        coalesce(timed.unit, '') as unit,
        timed.quantity,
        timed.fields,
        usage_tag.tags
    from timed
    left join usage_tag
        on timed.landing_sequence = usage_tag.landing_sequence
    left join contract_identifier as by_account
        on timed.account_id = by_account.identifier
        and by_account.identifier_kind = 'account_id'
        and timed.identified_at >= by_account.valid_from
        and (
            by_account.valid_to is null
            or timed.identified_at < by_account.valid_to
        )
    left join contract_identifier as by_vin
        on timed.vin = by_vin.identifier
        and by_vin.identifier_kind = 'vin'
        and timed.identified_at >= by_vin.valid_from
        and (by_vin.valid_to is null or timed.identified_at < by_vin.valid_to)
),

-- Which field of a record an item counts by, or has its number from.
item as (
    select
        contract_item.contract_item_id,
        contract_item.contract_id,
        contract_item.usage_type,
        contract_item.usage_tag,
        contract_item.product_id,
        contract_item.quantity_field,
        case
            when starts_with(contract_item.quantity_field, 'records with ')
                then substr(contract_item.quantity_field, 14)
        end as counted_field,
        case
            when
                contract_item.quantity_field
                not in ('quantity', 'records', 'seconds')
                and not starts_with(
                    contract_item.quantity_field, 'records with '
                )
                then contract_item.quantity_field
        end as number_field,
        contract_item.quantity_field = 'records'
        or starts_with(contract_item.quantity_field, 'records with ')
            as is_counted,
        contract_item.block_quantity,
        contract_item.price_field,
        contract_item.unit,
        contract_item.valid_from,
        contract_item.valid_to
    from contract_item
),

metered as (
    select
        assigned.landing_sequence,
        item.contract_item_id,
        assigned.part_number,
        billing_cycle.cycle_start,
        assigned.placed_at,
        assigned.part_end,
        assigned.usage_start,
        assigned.usage_end,
        assigned.has_end,
        item.product_id,
        assigned.usage_type,
        assigned.unit,
        coalesce(assigned.quantity, 0) as record_quantity,
        assigned.quantity as own_quantity,
        field_number(assigned.fields, item.number_field) as field_quantity,
        field_text(assigned.fields, item.counted_field) as field_counted,
        field_number(assigned.fields, item.price_field) as record_price,
        item.quantity_field,
        item.counted_field,
        item.number_field,
        coalesce(item.is_counted, false) as is_counted,
        item.unit as item_unit,
        item.block_quantity,
        item.price_field,
        billing_cycle.billing_period,
        assigned.fields,
        assigned.tags,
        assigned.contract_id,
        contract.contract_id is not null as is_known,
        assigned.placed_at >= contract.valid_from
        and (
            contract.valid_to is null
            or assigned.placed_at < contract.valid_to
        ) as is_in_force,
        assigned.is_anonymous,
        assigned.is_disputed
    from assigned
    left join contract
        on assigned.contract_id = contract.contract_id
    left join item
        on assigned.contract_id = item.contract_id
        and assigned.usage_type = item.usage_type
        and (
            item.usage_tag is null
            or strpos(assigned.tags, concat(',', item.usage_tag, ',')) > 0
        )
        and assigned.placed_at >= item.valid_from
        and (item.valid_to is null or assigned.placed_at < item.valid_to)
    left join billing_cycle
        on assigned.contract_id = billing_cycle.contract_id
        and assigned.placed_at >= billing_cycle.cycle_start
        and assigned.placed_at < billing_cycle.cycle_end
),

-- What is wrong with a number is asked only where something is.
measured as (
    select
        metered.landing_sequence,
        metered.contract_item_id,
        metered.part_number,
        metered.cycle_start,
        metered.placed_at,
        metered.part_end,
        metered.usage_start,
        metered.usage_end,
        metered.has_end,
        metered.product_id,
        metered.usage_type,
        metered.unit,
        metered.record_quantity,
        case metered.quantity_field
            when 'quantity' then metered.own_quantity
            when 'records' then 1
            when 'seconds'
                then case
                    when metered.has_end
                        then (
                            cast(metered.usage_end as bigint)
                            - cast(metered.usage_start as bigint)
                        ) / cast(1000000 as decimal(7, 0))
                end
            else
                coalesce(
                    metered.field_quantity,
                    case when metered.field_counted is not null then 1 end
                )
        end as quantity,
        field_trouble(
            metered.fields,
            case
                when metered.quantity_field = 'quantity'
                    then case when metered.own_quantity is null then 'quantity' end
                when metered.field_quantity is null then metered.number_field
            end
        ) as quantity_trouble,
        metered.record_price,
        field_trouble(
            metered.fields,
            case when metered.record_price is null then metered.price_field end
        ) as price_trouble,
        metered.quantity_field,
        metered.counted_field,
        metered.is_counted,
        metered.item_unit,
        metered.block_quantity,
        metered.price_field,
        metered.billing_period,
        metered.tags,
        metered.contract_id,
        metered.is_known,
        metered.is_in_force,
        metered.is_anonymous,
        metered.is_disputed
    from metered
),

blocked as (
    select
        measured.*,
        case
            when measured.block_quantity is null then measured.quantity
            else
                try_round_ratio(
                    measured.quantity,
                    1,
                    measured.block_quantity,
                    0,
                    case when measured.quantity < 0 then 'floor' else 'ceil' end
                )
        end as item_quantity
    from measured
),

whole as (
    select
        blocked.landing_sequence,
        blocked.contract_item_id,
        blocked.part_number,
        blocked.cycle_start,
        blocked.placed_at,
        case when not blocked.is_counted then blocked.part_end end as part_end,
        blocked.product_id,
        blocked.usage_type,
        blocked.unit,
        blocked.record_quantity,
        case
            when abs(blocked.item_quantity) < 10000000000000000
                then cast(blocked.item_quantity as decimal(38, 12))
        end as quantity,
        blocked.record_price,
        -- Time from the start of the record [microseconds].
        cast(blocked.placed_at as bigint)
        - cast(blocked.usage_start as bigint) as elapsed_before,
        cast(blocked.part_end as bigint)
        - cast(blocked.usage_start as bigint) as elapsed_until,
        cast(blocked.usage_end as bigint)
        - cast(blocked.usage_start as bigint) as elapsed_whole,
        case
            when blocked.is_anonymous then 'no identifier'
            when blocked.is_disputed then 'identifiers disagree'
            when blocked.contract_id is null then 'identifier not assigned'
            when not blocked.is_known then 'unknown contract'
            when not blocked.is_in_force then 'contract not in force'
            when blocked.cycle_start is null then 'cycle not begun'
            when
                blocked.contract_item_id is null
                and blocked.tags is not null
                then concat(
                    'no contract item for usage type and its tags ',
                    blocked.tags
                )
            when blocked.contract_item_id is null
                then 'no contract item for usage type'
            when
                blocked.quantity is null
                and blocked.quantity_field = 'seconds'
                then 'no end'
            when blocked.quantity is null and blocked.is_counted
                then concat('no ', blocked.counted_field)
            when blocked.quantity is null
                then blocked.quantity_trouble
            when coalesce(abs(blocked.item_quantity) >= 10000000000000000, true)
                then concat(
                    blocked.quantity_field,
                    case
                        when blocked.block_quantity is null then ' has'
                        else ' in blocks has'
                    end,
                    ' more than 16 digits before the point'
                )
            when
                blocked.quantity_field = 'quantity'
                and blocked.block_quantity is null
                and blocked.unit not in ('', blocked.item_unit)
                then concat('unit is not ', blocked.item_unit)
            when blocked.price_trouble is not null
                then blocked.price_trouble
            when abs(blocked.record_price) >= 10000000000000000
                then concat(
                    blocked.price_field,
                    ' has more than 16 digits before the point'
                )
            when
                blocked.price_field is not null
                and coalesce(
                    abs(
                        try_prorate(
                            blocked.record_price, blocked.item_quantity, 1
                        )
                    ) >= 10000000000000000,
                    true
                )
                then concat(blocked.price_field, ' and quantity are too large')
        end as suspense_reason,
        blocked.contract_id,
        blocked.billing_period
    from blocked
    where blocked.part_number = 1 or not blocked.is_counted
)

select
    whole.landing_sequence,
    coalesce(whole.contract_item_id, '') as contract_item_id,
    cast(whole.part_number as integer) as part_number,
    whole.cycle_start,
    whole.placed_at as usage_start,
    whole.part_end,
    whole.product_id,
    whole.usage_type,
    whole.unit,
    whole.record_quantity,
    case
        when whole.part_end is null then whole.quantity
        else
            prorate(whole.quantity, whole.elapsed_until, whole.elapsed_whole)
            - prorate(
                whole.quantity, whole.elapsed_before, whole.elapsed_whole
            )
    end as quantity,
    whole.record_price,
    case
        when whole.part_end is not null
            then prorate(
                whole.record_price, whole.elapsed_until, whole.elapsed_whole
            )
            - prorate(
                whole.record_price, whole.elapsed_before, whole.elapsed_whole
            )
    end as price_share,
    whole.suspense_reason,
    case when whole.suspense_reason is not null then whole.contract_id end
        as contract_id,
    coalesce(whole.billing_period, 'none') as billing_period
from whole
