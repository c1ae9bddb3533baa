-- item_usage: how much does a contract item meter of a record? One row for each
-- part of a record and item that meters it, or one without an item.
--
-- grain:  landing_sequence, contract_item_id, part_number
-- reads:  assigned_usage, contract, item_field, billing_cycle
-- rule:   an item that asks for a tag meters only usage that bears it; a block
--         begun counts as one, away from zero where usage is negative; what is
--         wrong with a number is asked only where something is

with metered as (
    select
        assigned_usage.landing_sequence,
        item_field.contract_item_id,
        assigned_usage.part_number,
        billing_cycle.cycle_start,
        assigned_usage.placed_at,
        assigned_usage.part_end,
        assigned_usage.usage_start,
        assigned_usage.usage_end,
        assigned_usage.has_end,
        item_field.product_id,
        assigned_usage.usage_type,
        assigned_usage.unit,
        coalesce(assigned_usage.quantity, 0) as record_quantity,
        assigned_usage.quantity as own_quantity,
        field_number(assigned_usage.fields, item_field.number_field)
            as field_quantity,
        field_text(assigned_usage.fields, item_field.counted_field)
            as field_counted,
        field_number(assigned_usage.fields, item_field.price_field)
            as record_price,
        item_field.quantity_field,
        item_field.counted_field,
        item_field.number_field,
        coalesce(item_field.is_counted, false) as is_counted,
        item_field.unit as item_unit,
        item_field.block_quantity,
        item_field.price_field,
        billing_cycle.billing_period,
        assigned_usage.fields,
        assigned_usage.tags,
        assigned_usage.contract_id,
        contract.contract_id is not null as is_known,
        assigned_usage.placed_at >= contract.valid_from
        and (
            contract.valid_to is null
            or assigned_usage.placed_at < contract.valid_to
        ) as is_in_force,
        assigned_usage.is_anonymous,
        assigned_usage.is_disputed
    from assigned_usage
    left join contract
        on assigned_usage.contract_id = contract.contract_id
    left join item_field
        on assigned_usage.contract_id = item_field.contract_id
        and assigned_usage.usage_type = item_field.usage_type
        and (
            item_field.usage_tag is null
            or strpos(
                assigned_usage.tags, concat(',', item_field.usage_tag, ',')
            ) > 0
        )
        and assigned_usage.placed_at >= item_field.valid_from
        and (
            item_field.valid_to is null
            or assigned_usage.placed_at < item_field.valid_to
        )
    left join billing_cycle
        on assigned_usage.contract_id = billing_cycle.contract_id
        and assigned_usage.placed_at >= billing_cycle.cycle_start
        and assigned_usage.placed_at < billing_cycle.cycle_end
),

measured as (
    select
        metered.*,
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
        field_trouble(
            metered.fields,
            case when metered.record_price is null then metered.price_field end
        ) as price_trouble
    from metered
)

select
    measured.landing_sequence,
    measured.contract_item_id,
    measured.part_number,
    measured.cycle_start,
    measured.placed_at,
    measured.part_end,
    measured.usage_start,
    measured.usage_end,
    measured.product_id,
    measured.usage_type,
    measured.unit,
    measured.record_quantity,
    measured.quantity,
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
    end as item_quantity,
    measured.quantity_trouble,
    measured.record_price,
    measured.price_trouble,
    measured.quantity_field,
    measured.counted_field,
    measured.is_counted,
    measured.item_unit,
    measured.block_quantity,
    measured.price_field,
    measured.billing_period,
    measured.tags,
    measured.contract_id,
    measured.is_known,
    measured.is_in_force,
    measured.is_anonymous,
    measured.is_disputed
from measured
