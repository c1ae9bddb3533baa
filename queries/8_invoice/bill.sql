-- bill: what does an account of credits pay, and in which order?
--
-- grain:  account_contract_id, quota_id, bill_number
-- reads:  grant_account, contract, billing_cycle, cycle_line
-- rule:   a bill is what the lines of a cycle sum to in one period; it is paid where
--         the cycle ends, before anything that happens to the credits at that
--         instant, or, where it is billed before the cycle's own period, where the
--         cycle begins; at one instant contract by contract

with line as (
    select
        cycle_line.contract_id,
        cycle_line.cycle_start,
        cycle_line.billing_period,
        cycle_line.counted_amount as amount
    from cycle_line

    union all

    -- A cycle without lines has a balance, too.
    select
        billing_cycle.contract_id,
        billing_cycle.cycle_start,
        billing_cycle.billing_period,
        cast(0 as decimal(38, 12)) as amount
    from billing_cycle
),

line_total as (
    select
        line.contract_id,
        line.cycle_start,
        line.billing_period,
        sum(line.amount) as amount
    from line
    group by
        line.contract_id,
        line.cycle_start,
        line.billing_period
),

paid as (
    select
        grant_account.contract_id as account_contract_id,
        grant_account.quota_id,
        grant_account.opened_at,
        billing_cycle.customer_id,
        billing_cycle.contract_id,
        billing_cycle.cycle_start,
        billing_cycle.cycle_end,
        billing_cycle.billing_period = line_total.billing_period as is_of_own_period,
        line_total.amount,
        billing_cycle.currency,
        line_total.billing_period
    from grant_account
    inner join contract
        on grant_account.contract_id = contract.contract_id
    inner join billing_cycle
        on contract.customer_id = billing_cycle.customer_id
        and grant_account.currency = billing_cycle.currency
        and (
            grant_account.quota_scope = 'customer'
            or grant_account.contract_id = billing_cycle.contract_id
        )
    inner join line_total
        on billing_cycle.contract_id = line_total.contract_id
        and billing_cycle.cycle_start = line_total.cycle_start
    where
        case
            when billing_cycle.billing_period = line_total.billing_period
                then billing_cycle.cycle_end > grant_account.opened_at
            else billing_cycle.cycle_start >= grant_account.opened_at
        end
),

placed as (
    select
        paid.*,
        case
            when paid.is_of_own_period then paid.cycle_end
            else paid.cycle_start
        end as happens_at,
        case when paid.is_of_own_period then 0 else 9 end as stage
    from paid
)

select
    placed.account_contract_id,
    placed.quota_id,
    cast(row_number() over (
        partition by placed.account_contract_id, placed.quota_id
        order by
            placed.happens_at,
            placed.stage,
            placed.contract_id,
            placed.cycle_start,
            placed.billing_period
    ) as integer) as bill_number,
    placed.happens_at,
    cast(placed.stage as integer) as stage,
    concat(
        placed.contract_id,
        '/',
        to_char(placed.cycle_start, '%Y-%m-%dT%H:%M'),
        '/credit',
        case
            when placed.is_of_own_period then ''
            else concat('/', placed.billing_period)
        end
    ) as line_id,
    placed.customer_id,
    placed.contract_id,
    placed.cycle_start,
    placed.cycle_end,
    placed.amount,
    placed.currency,
    placed.billing_period
from placed
