-- placed_grant: in which order do the grants of an account burn, and when do they end?
--
-- grain:  grant_id
-- reads:  quota_grant, grant_account, contract, billing_cycle
-- rule:   by lower priority, then by earlier expiry, then by earlier begin; last_at is
--         the end of the last cycle of the customer, until which grants recur

with horizon as (
    select
        billing_cycle.customer_id,
        max(billing_cycle.cycle_end) as last_at
    from billing_cycle
    group by billing_cycle.customer_id
)

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
    grant_account.currency,
    grant_account.opened_at,
    contract.time_zone,
    horizon.last_at
from grant_account
inner join contract
    on grant_account.contract_id = contract.contract_id
inner join quota_grant
    on grant_account.contract_id = quota_grant.contract_id
    and grant_account.quota_id = quota_grant.quota_id
inner join horizon
    on contract.customer_id = horizon.customer_id
