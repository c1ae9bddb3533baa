-- grant_balance: what is left of each grant at the end of each billing cycle?
--
-- grain:  grant_id, read_at
-- reads:  grant_step, grant_account, quota_grant, billing_cycle
-- rule:   grants burn by lower priority, then by earlier expiry; usage without a
--         balance is overage, which the next balance pays

with burnt as (
    select
        grant_step.contract_id,
        grant_step.quota_id,
        unnest(
            burn_down(
                array_to_string(
                    array_agg(grant_step.step order by grant_step.step_number),
                    ' '
                )
            )
        ) as balance
    from grant_step
    group by
        grant_step.contract_id,
        grant_step.quota_id
),

numbered_grant as (
    select
        quota_grant.grant_id,
        quota_grant.contract_id,
        quota_grant.quota_id,
        row_number() over (
            partition by quota_grant.contract_id, quota_grant.quota_id
            order by
                quota_grant.priority,
                quota_grant.expires_at asc nulls last,
                quota_grant.effective_at,
                quota_grant.grant_id
        ) as place
    from quota_grant
),

numbered_cycle as (
    select
        grant_account.contract_id,
        grant_account.quota_id,
        billing_cycle.cycle_end,
        row_number() over (
            partition by grant_account.contract_id, grant_account.quota_id
            order by billing_cycle.cycle_end
        ) as read_number
    from grant_account
    inner join billing_cycle
        on grant_account.contract_id = billing_cycle.contract_id
        and billing_cycle.cycle_end >= grant_account.opened_at
)

select
    numbered_grant.grant_id,
    numbered_cycle.cycle_end as read_at,
    burnt.contract_id,
    burnt.quota_id,
    burnt.balance['used'] as used_quantity,
    burnt.balance['balance'] as balance,
    burnt.balance['overage'] as overage
from burnt
inner join numbered_grant
    on burnt.contract_id = numbered_grant.contract_id
    and burnt.quota_id = numbered_grant.quota_id
    and burnt.balance['balance_number'] = numbered_grant.place
inner join numbered_cycle
    on burnt.contract_id = numbered_cycle.contract_id
    and burnt.quota_id = numbered_cycle.quota_id
    and burnt.balance['read_number'] = numbered_cycle.read_number
