-- grant_event: what happens to the grants of an account, and when?
--
-- grain:  contract_id, quota_id, happens_at, stage, place, landing_sequence
-- reads:  grant_account, quota_grant, quota_reset, contract, contract_item,
--         billing_cycle, counted_usage
-- rule:   at one instant, by stage: a cycle ends, and overage that is charged with
--         it, (1) accounts open, (2) grants roll over at a reset, (3) those that
--         recur are full again whatever was left, (4) overage is not carried on,
--         (5) grants begin, (6) overage is paid, see grant_step, (7) balances are
--         read, (8) grants end, and then (9) usage counts
--
-- What happens is a step of the function burn_down; a grant is the number of its
-- place in the order in which grants burn. What credits pay, and when their balances are
-- read, is in credit_balance.

with account as (
    select
        grant_account.contract_id,
        grant_account.quota_id,
        grant_account.quota_scope,
        case grant_account.quota_scope
            when 'customer' then contract.customer_id
            else contract.contract_id
        end as owner_id,
        contract.customer_id,
        grant_account.currency,
        grant_account.overage,
        grant_account.opened_at,
        grant_account.opening_overage,
        contract.time_zone
    from grant_account
    inner join contract
        on grant_account.contract_id = contract.contract_id
),

horizon as (
    select
        billing_cycle.customer_id,
        max(billing_cycle.cycle_end) as last_at
    from billing_cycle
    group by billing_cycle.customer_id
),

ordered_grant as (
    select
        quota_grant.grant_id,
        quota_grant.contract_id,
        quota_grant.quota_id,
        cast(row_number() over (
            partition by quota_grant.contract_id, quota_grant.quota_id
            order by
                quota_grant.priority,
                quota_grant.expires_at asc nulls last,
                quota_grant.effective_at,
                quota_grant.grant_id
        ) as integer) as place,
        quota_grant.amount,
        quota_grant.effective_at,
        least(quota_grant.expires_at, quota_grant.voided_at) as ends_at,
        quota_grant.recurrence_interval,
        coalesce(quota_grant.recurrence_anchor, quota_grant.effective_at)
            as recurrence_anchor,
        quota_grant.rollover_minimum,
        quota_grant.rollover_maximum,
        quota_grant.opening_balance,
        account.currency,
        account.opened_at,
        account.time_zone,
        horizon.last_at
    from account
    inner join quota_grant
        on account.contract_id = quota_grant.contract_id
        and account.quota_id = quota_grant.quota_id
    inner join horizon
        on account.customer_id = horizon.customer_id
),

recurrence as (
    select
        ordered_grant.contract_id,
        ordered_grant.quota_id,
        ordered_grant.place,
        ordered_grant.grant_id,
        ordered_grant.currency,
        ordered_grant.amount,
        ordered_grant.effective_at,
        ordered_grant.opened_at,
        ordered_grant.ends_at,
        unnest(
            billing_cycles(
                ordered_grant.recurrence_interval,
                null,
                ordered_grant.recurrence_anchor,
                null,
                null,
                ordered_grant.time_zone,
                ordered_grant.effective_at,
                ordered_grant.ends_at,
                ordered_grant.last_at
            )
        ) as period
    from ordered_grant
    where ordered_grant.recurrence_interval is not null
)

select
    account.contract_id,
    account.quota_id,
    billing_cycle.cycle_end as happens_at,
    cast(0 as integer) as stage,
    cast(0 as integer) as place,
    cast(null as varchar) as grant_id,
    account.currency,
    'read' as kind,
    cast(case account.overage when 'charged' then 0 end as decimal(38, 12))
        as amount,
    cast(null as decimal(38, 12)) as least,
    cast(null as decimal(38, 12)) as most,
    cast(0 as bigint) as landing_sequence
from account
inner join billing_cycle
    on account.contract_id = billing_cycle.contract_id
    and billing_cycle.cycle_end >= account.opened_at
where account.currency is null

union all

select
    account.contract_id,
    account.quota_id,
    account.opened_at as happens_at,
    cast(1 as integer) as stage,
    cast(0 as integer) as place,
    cast(null as varchar) as grant_id,
    account.currency,
    'owe' as kind,
    account.opening_overage as amount,
    null as least,
    null as most,
    cast(0 as bigint) as landing_sequence
from account

union all

-- A grant that has not begun has a balance of nothing.
select
    ordered_grant.contract_id,
    ordered_grant.quota_id,
    ordered_grant.opened_at as happens_at,
    cast(1 as integer) as stage,
    ordered_grant.place,
    ordered_grant.grant_id,
    ordered_grant.currency,
    case
        when ordered_grant.effective_at < ordered_grant.opened_at then 'set'
        else 'lose'
    end as kind,
    coalesce(ordered_grant.opening_balance, 0) as amount,
    null as least,
    null as most,
    cast(0 as bigint) as landing_sequence
from ordered_grant

union all

select
    recurrence.contract_id,
    recurrence.quota_id,
    recurrence.period['full_start'] as happens_at,
    cast(3 as integer) as stage,
    recurrence.place,
    recurrence.grant_id,
    recurrence.currency,
    'set' as kind,
    recurrence.amount as amount,
    null as least,
    null as most,
    cast(0 as bigint) as landing_sequence
from recurrence
where
    recurrence.period['full_start'] > recurrence.effective_at
    and recurrence.period['full_start'] > recurrence.opened_at

union all

select
    ordered_grant.contract_id,
    ordered_grant.quota_id,
    quota_reset.reset_at as happens_at,
    cast(2 as integer) as stage,
    ordered_grant.place,
    ordered_grant.grant_id,
    ordered_grant.currency,
    'roll' as kind,
    null as amount,
    ordered_grant.rollover_minimum as least,
    ordered_grant.rollover_maximum as most,
    cast(0 as bigint) as landing_sequence
from quota_reset
inner join ordered_grant
    on quota_reset.contract_id = ordered_grant.contract_id
    and quota_reset.quota_id = ordered_grant.quota_id
    and quota_reset.reset_at >= ordered_grant.opened_at
    and quota_reset.reset_at > ordered_grant.effective_at
    and (
        ordered_grant.ends_at is null
        or quota_reset.reset_at < ordered_grant.ends_at
    )

union all

select
    quota_reset.contract_id,
    quota_reset.quota_id,
    quota_reset.reset_at as happens_at,
    cast(4 as integer) as stage,
    cast(0 as integer) as place,
    cast(null as varchar) as grant_id,
    account.currency,
    'owe' as kind,
    0 as amount,
    null as least,
    null as most,
    cast(0 as bigint) as landing_sequence
from quota_reset
inner join account
    on quota_reset.contract_id = account.contract_id
    and quota_reset.quota_id = account.quota_id
    and quota_reset.reset_at >= account.opened_at
where not quota_reset.keeps_overage

union all

select
    ordered_grant.contract_id,
    ordered_grant.quota_id,
    ordered_grant.effective_at as happens_at,
    cast(5 as integer) as stage,
    ordered_grant.place,
    ordered_grant.grant_id,
    ordered_grant.currency,
    'set' as kind,
    case
        when ordered_grant.effective_at = ordered_grant.opened_at
            then coalesce(ordered_grant.opening_balance, ordered_grant.amount)
        else ordered_grant.amount
    end as amount,
    null as least,
    null as most,
    cast(0 as bigint) as landing_sequence
from ordered_grant
where
    ordered_grant.effective_at >= ordered_grant.opened_at
    and (
        ordered_grant.ends_at is null
        or ordered_grant.effective_at < ordered_grant.ends_at
    )

union all

select
    account.contract_id,
    account.quota_id,
    billing_cycle.cycle_end as happens_at,
    cast(7 as integer) as stage,
    cast(0 as integer) as place,
    cast(null as varchar) as grant_id,
    account.currency,
    'read' as kind,
    null as amount,
    null as least,
    null as most,
    cast(0 as bigint) as landing_sequence
from account
inner join billing_cycle
    on account.contract_id = billing_cycle.contract_id
    and billing_cycle.cycle_end >= account.opened_at
where account.currency is null

union all

select
    ordered_grant.contract_id,
    ordered_grant.quota_id,
    greatest(ordered_grant.ends_at, ordered_grant.opened_at)
        as happens_at,
    cast(8 as integer) as stage,
    ordered_grant.place,
    ordered_grant.grant_id,
    ordered_grant.currency,
    'lose' as kind,
    null as amount,
    null as least,
    null as most,
    cast(0 as bigint) as landing_sequence
from ordered_grant
where ordered_grant.ends_at is not null

union all

select
    account.contract_id,
    account.quota_id,
    counted_usage.usage_start as happens_at,
    cast(9 as integer) as stage,
    cast(0 as integer) as place,
    cast(null as varchar) as grant_id,
    account.currency,
    'use' as kind,
    sum(counted_usage.quantity) as amount,
    null as least,
    null as most,
    counted_usage.landing_sequence
from account
inner join contract_item
    on account.quota_id = contract_item.quota_id
    and account.quota_scope = contract_item.quota_scope
inner join contract
    on contract_item.contract_id = contract.contract_id
    and account.owner_id = case account.quota_scope
        when 'customer' then contract.customer_id
        else contract.contract_id
    end
inner join counted_usage
    on contract_item.contract_item_id = counted_usage.contract_item_id
    and counted_usage.usage_start >= account.opened_at
where account.currency is null
group by
    account.contract_id,
    account.quota_id,
    account.currency,
    counted_usage.usage_start,
    counted_usage.landing_sequence
