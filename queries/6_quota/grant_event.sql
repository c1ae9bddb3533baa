-- grant_event: what happens to the grants of an account, and when?
--
-- grain:  contract_id, quota_id, happens_at, stage, place, landing_sequence
-- reads:  account_event, grant_change, grant_use
-- rule:   at one instant, by stage: a cycle ends, and overage that is charged with
--         it, (1) accounts open, (2) grants roll over at a reset, (3) those that
--         recur are full again whatever was left, (4) overage is not carried on,
--         (5) grants begin, (6) overage is paid, see grant_step, (7) balances are
--         read, (8) grants end, and then (9) usage counts
--
-- What happens is a step of the function burn_down; a grant is the number of its
-- place in the order in which grants burn. What credits pay, and when their balances are
-- read, is in credit_balance.

with happening as (
    select
        grant_change.contract_id,
        grant_change.quota_id,
        grant_change.happens_at,
        grant_change.stage,
        grant_change.place,
        grant_change.grant_id,
        grant_change.currency,
        grant_change.kind,
        grant_change.amount,
        grant_change.least,
        grant_change.most
    from grant_change

    union all

    select
        account_event.contract_id,
        account_event.quota_id,
        account_event.happens_at,
        account_event.stage,
        0 as place,
        null as grant_id,
        account_event.currency,
        account_event.kind,
        account_event.amount,
        null as least,
        null as most
    from account_event
)

select
    happening.contract_id,
    happening.quota_id,
    happening.happens_at,
    cast(happening.stage as integer) as stage,
    cast(happening.place as integer) as place,
    happening.grant_id,
    happening.currency,
    happening.kind,
    cast(happening.amount as decimal(38, 12)) as amount,
    cast(happening.least as decimal(38, 12)) as least,
    cast(happening.most as decimal(38, 12)) as most,
    cast(0 as bigint) as landing_sequence
from happening

union all

select
    grant_use.contract_id,
    grant_use.quota_id,
    grant_use.usage_start as happens_at,
    cast(9 as integer) as stage,
    cast(0 as integer) as place,
    cast(null as varchar) as grant_id,
    cast(null as varchar) as currency,
    'use' as kind,
    grant_use.quantity as amount,
    cast(null as decimal(38, 12)) as least,
    cast(null as decimal(38, 12)) as most,
    grant_use.landing_sequence
from grant_use
