-- grant_change: what happens to each grant of an account, and when?
--
-- grain:  grant_id, happens_at, stage
-- reads:  placed_grant, quota_reset
-- rule:   stages as in grant_event

with recurrence as (
    select
        placed_grant.grant_id,
        placed_grant.contract_id,
        placed_grant.quota_id,
        placed_grant.place,
        placed_grant.currency,
        placed_grant.amount,
        placed_grant.effective_at,
        placed_grant.opened_at,
        unnest(
            billing_cycles(
                placed_grant.recurrence_interval,
                null,
                placed_grant.recurrence_anchor,
                null,
                null,
                placed_grant.time_zone,
                placed_grant.effective_at,
                placed_grant.ends_at,
                placed_grant.last_at
            )
        ) as period
    from placed_grant
    where placed_grant.recurrence_interval is not null
),

-- A grant that has not begun has a balance of nothing.
term as (
    select
        placed_grant.grant_id,
        placed_grant.contract_id,
        placed_grant.quota_id,
        placed_grant.place,
        placed_grant.currency,
        placed_grant.effective_at,
        placed_grant.opened_at,
        placed_grant.ends_at,
        unnest([
            {
                'stage': 1,
                'kind': case
                    when placed_grant.effective_at < placed_grant.opened_at then 'set'
                    else 'lose'
                end,
                'happens_at': placed_grant.opened_at,
                'amount': coalesce(placed_grant.opening_balance, 0)
            },
            {
                'stage': 5,
                'kind': 'set',
                'happens_at': placed_grant.effective_at,
                'amount': case
                    when placed_grant.effective_at = placed_grant.opened_at
                        then coalesce(
                            placed_grant.opening_balance, placed_grant.amount
                        )
                    else placed_grant.amount
                end
            },
            {
                'stage': 8,
                'kind': 'lose',
                'happens_at': greatest(placed_grant.ends_at, placed_grant.opened_at),
                'amount': null
            }
        ]) as event
    from placed_grant
)

select
    term.contract_id,
    term.quota_id,
    term.event['happens_at'] as happens_at,
    term.event['stage'] as stage,
    term.place,
    term.grant_id,
    term.currency,
    term.event['kind'] as kind,
    term.event['amount'] as amount,
    cast(null as decimal(38, 12)) as least,
    cast(null as decimal(38, 12)) as most
from term
where
    case term.event['stage']
        when 5
            then term.effective_at >= term.opened_at
            and (term.ends_at is null or term.effective_at < term.ends_at)
        when 8 then term.ends_at is not null
        else true
    end

union all

select
    placed_grant.contract_id,
    placed_grant.quota_id,
    quota_reset.reset_at as happens_at,
    2 as stage,
    placed_grant.place,
    placed_grant.grant_id,
    placed_grant.currency,
    'roll' as kind,
    null as amount,
    placed_grant.rollover_minimum as least,
    placed_grant.rollover_maximum as most
from quota_reset
inner join placed_grant
    on quota_reset.contract_id = placed_grant.contract_id
    and quota_reset.quota_id = placed_grant.quota_id
    and quota_reset.reset_at >= placed_grant.opened_at
    and quota_reset.reset_at > placed_grant.effective_at
    and (
        placed_grant.ends_at is null
        or quota_reset.reset_at < placed_grant.ends_at
    )

union all

select
    recurrence.contract_id,
    recurrence.quota_id,
    recurrence.period['full_start'] as happens_at,
    3 as stage,
    recurrence.place,
    recurrence.grant_id,
    recurrence.currency,
    'set' as kind,
    recurrence.amount,
    null as least,
    null as most
from recurrence
where
    recurrence.period['full_start'] > recurrence.effective_at
    and recurrence.period['full_start'] > recurrence.opened_at
