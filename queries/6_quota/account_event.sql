-- account_event: what happens to an account of grants as a whole, and when?
--
-- grain:  contract_id, quota_id, happens_at, stage
-- reads:  grant_account, billing_cycle, quota_reset
-- rule:   stages as in grant_event; when balances of credits are read is in
--         credit_balance

-- Where a cycle ends, what it used is read, and later what the next one begins with.
select
    grant_account.contract_id,
    grant_account.quota_id,
    billing_cycle.cycle_end as happens_at,
    reading.stage,
    grant_account.currency,
    'read' as kind,
    cast(
        case when reading.stage = 0 and grant_account.overage = 'charged' then 0 end
        as decimal(38, 12)
    ) as amount
from grant_account
inner join billing_cycle
    on grant_account.contract_id = billing_cycle.contract_id
    and billing_cycle.cycle_end >= grant_account.opened_at
cross join (values (0), (7)) as reading (stage)
where grant_account.currency is null

union all

select
    grant_account.contract_id,
    grant_account.quota_id,
    grant_account.opened_at as happens_at,
    1 as stage,
    grant_account.currency,
    'owe' as kind,
    grant_account.opening_overage as amount
from grant_account

union all

select
    grant_account.contract_id,
    grant_account.quota_id,
    quota_reset.reset_at as happens_at,
    4 as stage,
    grant_account.currency,
    'owe' as kind,
    0 as amount
from quota_reset
inner join grant_account
    on quota_reset.contract_id = grant_account.contract_id
    and quota_reset.quota_id = grant_account.quota_id
    and quota_reset.reset_at >= grant_account.opened_at
where not quota_reset.keeps_overage
