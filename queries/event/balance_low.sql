-- balance_low: of which accounts is as little left as somebody wants to be told?
--
-- grain:  event_key
-- reads:  grant_balance, credit_balance, quota_grant, contract, balance_threshold
-- rule:   all grants of the account together, at the end of the last cycle that was
--         counted; once for each balance, until there is more again

with grant_left as (
    select
        grant_balance.contract_id,
        grant_balance.quota_id,
        grant_balance.read_at,
        grant_balance.balance
    from grant_balance

    union all

    -- Within a cycle credits only become less.
    select
        quota_grant.contract_id,
        quota_grant.quota_id,
        credit_balance.cycle_end as read_at,
        min(credit_balance.balance) as balance
    from credit_balance
    inner join quota_grant
        on credit_balance.grant_id = quota_grant.grant_id
    group by
        quota_grant.grant_id,
        quota_grant.contract_id,
        quota_grant.quota_id,
        credit_balance.cycle_end
),

account_left as (
    select
        grant_left.contract_id,
        grant_left.quota_id,
        grant_left.read_at,
        sum(grant_left.balance) as balance,
        row_number() over (
            partition by grant_left.contract_id, grant_left.quota_id
            order by grant_left.read_at desc
        ) as reads_ago
    from grant_left
    group by
        grant_left.contract_id,
        grant_left.quota_id,
        grant_left.read_at
)

select
    make_array(
        account_left.contract_id,
        account_left.quota_id,
        cast(balance_threshold.balance as varchar)
    ) as event_key,
    contract.customer_id,
    account_left.contract_id,
    account_left.quota_id,
    account_left.balance,
    balance_threshold.balance as balance_threshold,
    account_left.read_at
from account_left
inner join balance_threshold
    on account_left.quota_id = balance_threshold.quota_id
    and account_left.balance <= balance_threshold.balance
inner join contract
    on account_left.contract_id = contract.contract_id
where account_left.reads_ago = 1
