-- decision: what was decided about it
select
    usage_decision.decision,
    usage_decision.source,
    usage_decision.reason,
    usage_decision.replaced_by,
    usage_decision.decided_by,
    usage_decision.decided_at
from usage_decision
where
    usage_decision.transaction_id = $transaction_id
    and usage_decision.source
    = coalesce(cast($source as varchar), usage_decision.source)
order by usage_decision.decision_number
