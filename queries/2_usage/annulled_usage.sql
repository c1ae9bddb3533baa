-- annulled_usage: which landed records are void or written off, by the last decision?
--
-- grain:  landing_sequence
-- reads:  usage_decision, usage_void, usage_record
-- rule:   the last decision on a record counts; it is about what had landed then,
--         and one without a time about all records of the id, also where they are
--         told apart by time; what is listed in usage_void is void as long as it
--         is, also what lands later

with decision as (
    select
        usage_decision.decision_number,
        false as is_listed,
        usage_decision.decision,
        usage_decision.source,
        usage_decision.transaction_id,
        usage_decision.usage_start,
        usage_decision.last_landing_sequence,
        usage_decision.reason,
        usage_decision.replaced_by
    from usage_decision
    where usage_decision.decision in ('void', 'write_off', 'restore')

    union all

    select
        cast(null as bigint) as decision_number,
        true as is_listed,
        'void' as decision,
        usage_void.source,
        usage_void.transaction_id,
        usage_void.usage_start,
        cast(null as bigint) as last_landing_sequence,
        usage_void.reason,
        usage_void.replaced_by
    from usage_void
),

decided as (
    select
        usage_record.landing_sequence,
        usage_record.source,
        usage_record.transaction_id,
        usage_record.usage_type,
        usage_record.usage_start,
        coalesce(usage_record.unit, '') as unit,
        coalesce(usage_record.quantity, 0) as record_quantity,
        decision.is_listed,
        decision.decision,
        decision.reason,
        decision.replaced_by,
        row_number() over (
            partition by usage_record.landing_sequence
            order by
                decision.is_listed desc,
                decision.decision_number desc,
                decision.reason,
                decision.replaced_by
        ) as recency
    from decision
    inner join usage_record
        on row_hash(decision.source, decision.transaction_id)
        = usage_record.id_hash
        and decision.source = usage_record.source
        and decision.transaction_id = usage_record.transaction_id
        and coalesce(decision.usage_start, usage_record.usage_start)
        = usage_record.usage_start
        and coalesce(
            decision.last_landing_sequence, usage_record.landing_sequence
        ) >= usage_record.landing_sequence
)

select
    decided.landing_sequence,
    decided.source,
    decided.transaction_id,
    decided.usage_type,
    decided.usage_start,
    decided.unit,
    decided.record_quantity,
    decided.is_listed,
    case decided.decision when 'void' then 'void' else 'written off' end
        as place,
    decided.reason,
    decided.replaced_by
from decided
where
    decided.recency = 1
    and decided.decision <> 'restore'
