-- grant_balance: what is left of each grant at the end of each billing cycle?
--
-- grain:  grant_id, read_at
-- reads:  grant_step, grant_event, grant_account, billing_cycle
-- rule:   grants burn by lower priority, then by earlier expiry; usage without a
--         balance is overage, which the next balance pays, or which is charged
--         when the cycle ends; balances are read twice, before and after what
--         happens between two cycles

with burnt as (
    select
        grant_step.contract_id,
        grant_step.quota_id,
        unnest(
            burn_down(
                array_agg(
                    {
                        'kind': grant_step.kind,
                        'place': grant_step.place,
                        'amount': grant_step.amount,
                        'least': grant_step.least,
                        'most': grant_step.most
                    }
                    order by grant_step.step_number
                )
            )
        ) as balance
    from grant_step
    group by
        grant_step.contract_id,
        grant_step.quota_id
),

-- Odd reads are of the cycle that ends, even ones of the cycle that begins.
read_balance as (
    select
        burnt.contract_id,
        burnt.quota_id,
        burnt.balance['place'] as place,
        cast((burnt.balance['read_number'] + 1) / 2 as integer) as cycle_read,
        burnt.balance['read_number'] % 2 = 1 as is_of_cycle,
        burnt.balance['used'] as used_quantity,
        burnt.balance['balance'] as balance,
        burnt.balance['overage'] as overage
    from burnt
),

cycle_balance as (
    select
        read_balance.contract_id,
        read_balance.quota_id,
        read_balance.place,
        read_balance.cycle_read,
        sum(read_balance.used_quantity) as used_quantity,
        max(
            case when not read_balance.is_of_cycle then read_balance.balance end
        ) as balance,
        max(
            case when not read_balance.is_of_cycle then read_balance.overage end
        ) as overage,
        max(
            case when read_balance.is_of_cycle then read_balance.used_quantity end
        ) as cycle_used_quantity,
        max(
            case when read_balance.is_of_cycle then read_balance.balance end
        ) as cycle_balance,
        max(
            case when read_balance.is_of_cycle then read_balance.overage end
        ) as cycle_overage
    from read_balance
    group by
        read_balance.contract_id,
        read_balance.quota_id,
        read_balance.place,
        read_balance.cycle_read
),

placed_grant as (
    select distinct
        grant_event.contract_id,
        grant_event.quota_id,
        grant_event.place,
        grant_event.grant_id
    from grant_event
    where grant_event.grant_id is not null
),

numbered_cycle as (
    select
        grant_account.contract_id,
        grant_account.quota_id,
        billing_cycle.full_start as cycle_start,
        billing_cycle.cycle_end,
        row_number() over (
            partition by grant_account.contract_id, grant_account.quota_id
            order by billing_cycle.cycle_end
        ) as cycle_read
    from grant_account
    inner join billing_cycle
        on grant_account.contract_id = billing_cycle.contract_id
        and billing_cycle.cycle_end >= grant_account.opened_at
    where grant_account.currency is null
)

select
    placed_grant.grant_id,
    numbered_cycle.cycle_end as read_at,
    cycle_balance.contract_id,
    cycle_balance.quota_id,
    numbered_cycle.cycle_start,
    cycle_balance.used_quantity,
    cycle_balance.balance,
    cycle_balance.overage,
    coalesce(cycle_balance.cycle_used_quantity, 0) as cycle_used_quantity,
    coalesce(cycle_balance.cycle_balance, 0) as cycle_balance,
    coalesce(cycle_balance.cycle_overage, 0) as cycle_overage
from cycle_balance
inner join placed_grant
    on cycle_balance.contract_id = placed_grant.contract_id
    and cycle_balance.quota_id = placed_grant.quota_id
    and cycle_balance.place = placed_grant.place
inner join numbered_cycle
    on cycle_balance.contract_id = numbered_cycle.contract_id
    and cycle_balance.quota_id = numbered_cycle.quota_id
    and cycle_balance.cycle_read = numbered_cycle.cycle_read
