-- usage_exclusion: which records did a person void or write off?
--
-- grain:  landing_sequence
-- reads:  usage_decision, usage_record, usage_duplicate, landing_hold
-- rule:   the last decision on an identity counts

with decided as (
    select
        usage_decision.source,
        usage_decision.transaction_id,
        usage_decision.decision,
        usage_decision.reason,
        usage_decision.replaced_by,
        row_number() over (
            partition by usage_decision.source, usage_decision.transaction_id
            order by usage_decision.decision_number desc
        ) as recency
    from usage_decision
    where usage_decision.decision in ('void', 'write_off', 'restore')
)

select
    usage_record.landing_sequence,
    usage_record.usage_type,
    coalesce(usage_record.unit, '') as unit,
    coalesce(usage_record.quantity, 0) as record_quantity,
    case decided.decision when 'void' then 'void' else 'written off' end
        as place,
    decided.reason,
    decided.replaced_by
from decided
inner join usage_record
    on decided.source = usage_record.source
    and decided.transaction_id = usage_record.transaction_id
where
    decided.recency = 1
    and decided.decision <> 'restore'
    and not exists (
        select 1
        from usage_duplicate
        where usage_duplicate.landing_sequence = usage_record.landing_sequence
    )
    and not exists (
        select 1
        from landing_hold
        where
            landing_hold.landing_id = usage_record.landing_sequence / 1000000000
    )
