-- usage_part: into which parts is a record cut that is split in proportion to time?
--
-- grain:  landing_sequence, part_number
-- reads:  span_rule, open_usage, contract_identifier, billing_cycle, contract_item
-- rule:   it is cut where a cycle of its contract begins or ends, and where an
--         item for its usage type does; its contract is that of its start, since
--         a record is not shared out between contracts; uncut, it has no row

with spanning as (
    select
        open_usage.landing_sequence,
        open_usage.usage_type,
        open_usage.usage_start,
        open_usage.usage_end,
        coalesce(
            open_usage.contract_id,
            by_account.contract_id,
            by_vin.contract_id
        ) as contract_id
    from span_rule
    inner join open_usage
        on span_rule.usage_type = open_usage.usage_type
    left join contract_identifier as by_account
        on open_usage.account_id = by_account.identifier
        and by_account.identifier_kind = 'account_id'
        and open_usage.usage_start >= by_account.valid_from
        and (
            by_account.valid_to is null
            or open_usage.usage_start < by_account.valid_to
        )
    left join contract_identifier as by_vin
        on open_usage.vin = by_vin.identifier
        and by_vin.identifier_kind = 'vin'
        and open_usage.usage_start >= by_vin.valid_from
        and (by_vin.valid_to is null or open_usage.usage_start < by_vin.valid_to)
    where
        span_rule.placed_by = 'split'
        and open_usage.usage_end > open_usage.usage_start
),

-- Where nothing follows a cycle, usage beyond its end has to wait.
boundary as (
    select
        billing_cycle.contract_id,
        cast(null as varchar) as usage_type,
        billing_cycle.cycle_start as cut_at
    from billing_cycle

    union

    select
        billing_cycle.contract_id,
        cast(null as varchar) as usage_type,
        billing_cycle.cycle_end as cut_at
    from billing_cycle

    union

    select
        contract_item.contract_id,
        contract_item.usage_type,
        contract_item.valid_from as cut_at
    from contract_item
    where contract_item.usage_type is not null

    union

    select
        contract_item.contract_id,
        contract_item.usage_type,
        contract_item.valid_to as cut_at
    from contract_item
    where
        contract_item.usage_type is not null
        and contract_item.valid_to is not null
),

cut as (
    select distinct
        spanning.landing_sequence,
        spanning.usage_start,
        spanning.usage_end,
        boundary.cut_at
    from spanning
    inner join boundary
        on spanning.contract_id = boundary.contract_id
        and spanning.usage_type
        = coalesce(boundary.usage_type, spanning.usage_type)
        and spanning.usage_start < boundary.cut_at
        and spanning.usage_end > boundary.cut_at
),

in_order as (
    select
        cut.landing_sequence,
        cut.usage_start,
        cut.usage_end,
        cut.cut_at,
        row_number() over record_order as cut_number,
        lag(cut.cut_at) over record_order as cut_before,
        lead(cut.cut_at) over record_order as cut_after
    from cut
    window record_order as (
        partition by cut.landing_sequence order by cut.cut_at
    )
),

-- Each cut ends a part, and the last one begins another.
part as (
    select
        in_order.landing_sequence,
        in_order.usage_start,
        in_order.usage_end,
        in_order.cut_at,
        in_order.cut_number,
        in_order.cut_before,
        unnest(
            case
                when in_order.cut_after is null
                    then [in_order.cut_number, in_order.cut_number + 1]
                else [in_order.cut_number]
            end
        ) as part_number
    from in_order
)

select
    part.landing_sequence,
    cast(part.part_number as integer) as part_number,
    case
        when part.part_number > part.cut_number then part.cut_at
        else coalesce(part.cut_before, part.usage_start)
    end as part_start,
    case
        when part.part_number > part.cut_number then part.usage_end
        else part.cut_at
    end as part_end
from part
