-- landing_hold: which landings does no run count?
--
-- grain:  landing_id
-- reads:  usage_decision
-- rule:   a batch is held until it is released, and discarded for good

with ended as (
    select
        usage_decision.hold_name,
        min(usage_decision.decision) as decision
    from usage_decision
    where usage_decision.decision in ('release', 'discard')
    group by usage_decision.hold_name
)

select
    usage_decision.landing_id,
    min(usage_decision.hold_name) as hold_name,
    max(
        case ended.decision when 'discard' then 'discarded' else 'held' end
    ) as place
from usage_decision
left join ended
    on usage_decision.hold_name = ended.hold_name
where
    usage_decision.decision = 'hold'
    and usage_decision.landing_id is not null
    and coalesce(ended.decision, 'hold') <> 'release'
group by usage_decision.landing_id
