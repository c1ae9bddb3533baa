-- assigned_usage: which contract does usage belong to, by the identifiers that it
-- gives?
--
-- grain:  landing_sequence, part_number
-- reads:  open_usage, usage_filtered, usage_part, span_rule, usage_tag,
--         contract_identifier
-- rule:   of several identifiers the contract id wins, and a disagreement is told;
--         they are looked up at the instant that places the record, its parts where
--         they begin

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
)

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
