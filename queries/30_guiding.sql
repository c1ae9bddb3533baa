-- guiding: whose usage is it? One row for each part of a record and item that
-- meters it, or one row that says why there is none.
--
-- grain:  landing_sequence, contract_item_id, part_number
-- reads:  usage_filtered, usage_tag, contract, contract_identifier,
--         contract_item, billing_cycle, usage, span_rule, usage_part
-- rule:   of several identifiers the contract id wins; a disagreement suspends;
--         an item that asks for a tag meters only usage that bears it; a block
--         begun counts as one, away from zero where usage is negative; what is
--         split sums to the whole, and a record that is counted counts in its
--         first part

with timed as (
    select
        usage.landing_sequence,
        coalesce(usage_part.part_number, 1) as part_number,
        usage.usage_type,
        usage.usage_start,
        usage.usage_end,
        case span_rule.placed_by
            when 'end'
                then greatest(
                    usage.usage_end - interval '1 microsecond',
                    usage.usage_start
                )
            else usage.usage_start
        end as identified_at,
        usage_part.part_start,
        case
            when
                span_rule.placed_by = 'split'
                and usage.usage_end > usage.usage_start
                then coalesce(usage_part.part_end, usage.usage_end)
        end as part_end,
        usage.contract_id,
        usage.account_id,
        usage.vin,
        usage.quantity,
        usage.unit,
        usage.unit_price,
        usage.distance,
        usage.attributes
    from usage
    left join span_rule
        on usage.usage_type = span_rule.usage_type
    left join usage_part
        on usage.landing_sequence = usage_part.landing_sequence
    where not exists (
        select 1
        from usage_filtered
        where usage_filtered.landing_sequence = usage.landing_sequence
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
        timed.unit_price,
        timed.distance,
        timed.attributes,
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

metered as (
    select
        assigned.landing_sequence,
        contract_item.contract_item_id,
        assigned.part_number,
        billing_cycle.cycle_start,
        assigned.placed_at,
        assigned.part_end,
        assigned.usage_start,
        assigned.usage_end,
        contract_item.product_id,
        assigned.usage_type,
        assigned.unit,
        coalesce(assigned.quantity, 0) as record_quantity,
        case contract_item.quantity_field
            when 'quantity' then assigned.quantity
            when 'distance' then assigned.distance
            when 'records' then 1
            when 'seconds'
                then (
                    cast(assigned.usage_end as bigint)
                    - cast(assigned.usage_start as bigint)
                ) / cast(1000000 as decimal(7, 0))
            else
                case
                    when
                        starts_with(
                            contract_item.quantity_field, 'records with '
                        )
                        then case
                            when
                                json_text(
                                    assigned.attributes,
                                    substr(contract_item.quantity_field, 14)
                                ) is not null
                                then 1
                        end
                    else
                        json_decimal(
                            assigned.attributes, contract_item.quantity_field
                        )
                end
        end as quantity,
        case contract_item.price_field
            when 'unit_price' then assigned.unit_price
            else json_decimal(assigned.attributes, contract_item.price_field)
        end as record_price,
        contract_item.quantity_field,
        coalesce(
            contract_item.quantity_field = 'records'
            or starts_with(contract_item.quantity_field, 'records with '),
            false
        ) as is_counted,
        contract_item.unit as item_unit,
        contract_item.block_quantity,
        contract_item.price_field,
        billing_cycle.billing_period,
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
    left join contract_item
        on assigned.contract_id = contract_item.contract_id
        and assigned.usage_type = contract_item.usage_type
        and (
            contract_item.usage_tag is null
            or strpos(
                assigned.tags, concat(',', contract_item.usage_tag, ',')
            ) > 0
        )
        and assigned.placed_at >= contract_item.valid_from
        and (
            contract_item.valid_to is null
            or assigned.placed_at < contract_item.valid_to
        )
    left join billing_cycle
        on assigned.contract_id = billing_cycle.contract_id
        and assigned.placed_at >= billing_cycle.cycle_start
        and assigned.placed_at < billing_cycle.cycle_end
),

whole as (
    select
        metered.landing_sequence,
        metered.contract_item_id,
        metered.part_number,
        metered.cycle_start,
        metered.placed_at,
        case when not metered.is_counted then metered.part_end end as part_end,
        metered.product_id,
        metered.usage_type,
        metered.unit,
        metered.record_quantity,
        case
            when metered.block_quantity is null
                then cast(metered.quantity as decimal(38, 12))
            else
                cast(
                    (
                        metered.quantity
                        - metered.quantity % metered.block_quantity
                    )
                    / metered.block_quantity
                    + case
                        when metered.quantity % metered.block_quantity > 0
                            then 1
                        when metered.quantity % metered.block_quantity < 0
                            then -1
                        else 0
                    end as decimal(38, 12)
                )
        end as quantity,
        metered.record_price,
        -- Time from the start of the record [microseconds].
        cast(metered.placed_at as bigint)
        - cast(metered.usage_start as bigint) as elapsed_before,
        cast(metered.part_end as bigint)
        - cast(metered.usage_start as bigint) as elapsed_until,
        cast(metered.usage_end as bigint)
        - cast(metered.usage_start as bigint) as elapsed_whole,
        case
            when metered.is_anonymous then 'no identifier'
            when metered.is_disputed then 'identifiers disagree'
            when metered.contract_id is null then 'identifier not assigned'
            when not metered.is_known then 'unknown contract'
            when not metered.is_in_force then 'contract not in force'
            when metered.cycle_start is null then 'cycle not begun'
            when metered.contract_item_id is null
                then 'no contract item for usage type'
            when metered.quantity is null
                then concat('no number in ', metered.quantity_field)
            when
                metered.quantity_field = 'quantity'
                and metered.block_quantity is null
                and metered.unit not in ('', metered.item_unit)
                then concat('unit is not ', metered.item_unit)
            when
                metered.price_field is not null
                and metered.record_price is null
                then concat('no number in ', metered.price_field)
        end as suspense_reason,
        metered.billing_period
    from metered
    where metered.part_number = 1 or not metered.is_counted
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
    coalesce(whole.billing_period, 'none') as billing_period
from whole
