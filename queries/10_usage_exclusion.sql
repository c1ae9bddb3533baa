-- usage_exclusion: which records did a person void or write off?
--
-- grain:  landing_sequence
-- reads:  usage_decision, usage_record, usage_duplicate, landing_hold
-- rule:   the last decision on a record counts; one without a time is on all records
--         of the id, also where they are told apart by time

with decided as (
    select
        usage_record.landing_sequence,
        usage_record.usage_type,
        coalesce(usage_record.unit, '') as unit,
        coalesce(usage_record.quantity, 0) as record_quantity,
        usage_decision.decision,
        usage_decision.reason,
        usage_decision.replaced_by,
        row_number() over (
            partition by usage_record.landing_sequence
            order by usage_decision.decision_number desc
        ) as recency
    from usage_decision
    inner join usage_record
        on usage_decision.source = usage_record.source
        and usage_decision.transaction_id = usage_record.transaction_id
        and coalesce(usage_decision.usage_start, usage_record.usage_start)
        = usage_record.usage_start
    where usage_decision.decision in ('void', 'write_off', 'restore')
)

select
    decided.landing_sequence,
    decided.usage_type,
    decided.unit,
    decided.record_quantity,
    case decided.decision when 'void' then 'void' else 'written off' end
        as place,
    decided.reason,
    decided.replaced_by
from decided
where
    decided.recency = 1
    and decided.decision <> 'restore'
    and not exists (
        select 1
        from usage_duplicate
        where usage_duplicate.landing_sequence = decided.landing_sequence
    )
    and not exists (
        select 1
        from landing_hold
        where
            landing_hold.landing_id = decided.landing_sequence / 1000000000
    )
