-- guiding: whose usage is it? One row for each record and item that meters it,
-- or one row that says why there is none.
--
-- grain:  landing_sequence, contract_item_id, part_number
-- reads:  usage_filtered, usage_tag, contract, contract_identifier,
--         contract_item, billing_cycle, usage
-- rule:   of several identifiers the contract id wins; a disagreement suspends;
--         an item that asks for a tag meters only usage that bears it; a block
--         begun counts as one, away from zero where usage is negative

with assigned as (
    select
        usage.landing_sequence,
        usage.usage_type,
        usage.usage_start,
        usage.usage_end,
        coalesce(
            usage.contract_id,
            by_account.contract_id,
            by_vin.contract_id
        ) as contract_id,
        usage.contract_id is null
        and usage.account_id is null
        and usage.vin is null as is_anonymous,
        coalesce(usage.contract_id <> by_account.contract_id, false)
        or coalesce(usage.contract_id <> by_vin.contract_id, false)
        or coalesce(by_account.contract_id <> by_vin.contract_id, false)
            as is_disputed,
        coalesce(usage.unit, '') as unit,
        usage.quantity,
        usage.unit_price,
        usage.distance,
        usage.attributes,
        usage_tag.tags
    from usage
    left join usage_tag
        on usage.landing_sequence = usage_tag.landing_sequence
    left join contract_identifier as by_account
        on usage.account_id = by_account.identifier
        and by_account.identifier_kind = 'account_id'
        and usage.usage_start >= by_account.valid_from
        and (
            by_account.valid_to is null
            or usage.usage_start < by_account.valid_to
        )
    left join contract_identifier as by_vin
        on usage.vin = by_vin.identifier
        and by_vin.identifier_kind = 'vin'
        and usage.usage_start >= by_vin.valid_from
        and (by_vin.valid_to is null or usage.usage_start < by_vin.valid_to)
    where not exists (
        select 1
        from usage_filtered
        where usage_filtered.landing_sequence = usage.landing_sequence
    )
),

metered as (
    select
        assigned.landing_sequence,
        contract_item.contract_item_id,
        billing_cycle.cycle_start,
        assigned.usage_start,
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
        contract_item.unit as item_unit,
        contract_item.block_quantity,
        contract_item.price_field,
        billing_cycle.billing_period,
        assigned.contract_id,
        contract.contract_id is not null as is_known,
        assigned.usage_start >= contract.valid_from
        and (
            contract.valid_to is null
            or assigned.usage_start < contract.valid_to
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
        and assigned.usage_start >= contract_item.valid_from
        and (
            contract_item.valid_to is null
            or assigned.usage_start < contract_item.valid_to
        )
    left join billing_cycle
        on assigned.contract_id = billing_cycle.contract_id
        and assigned.usage_start >= billing_cycle.cycle_start
        and assigned.usage_start < billing_cycle.cycle_end
)

select
    metered.landing_sequence,
    coalesce(metered.contract_item_id, '') as contract_item_id,
    cast(1 as integer) as part_number,
    metered.cycle_start,
    metered.usage_start,
    metered.product_id,
    metered.usage_type,
    metered.unit,
    metered.record_quantity,
    case
        when metered.block_quantity is null
            then cast(metered.quantity as decimal(38, 12))
        else
            cast(
                (metered.quantity - metered.quantity % metered.block_quantity)
                / metered.block_quantity
                + case
                    when metered.quantity % metered.block_quantity > 0 then 1
                    when metered.quantity % metered.block_quantity < 0 then -1
                    else 0
                end as decimal(38, 12)
            )
    end as quantity,
    metered.record_price,
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
        when metered.price_field is not null and metered.record_price is null
            then concat('no number in ', metered.price_field)
    end as suspense_reason,
    coalesce(metered.billing_period, 'none') as billing_period
from metered
