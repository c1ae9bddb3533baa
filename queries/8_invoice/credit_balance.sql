-- credit_balance: what do credits pay of a cycle's lines, and what is left?
--
-- grain:  grant_id, line_id
-- reads:  grant_account, grant_event, contract, billing_cycle, item_line,
--         price_minimum, minimum_line, currency
-- rule:   the lines of a cycle burn credits where it ends, before anything that
--         happens to the credits at that instant; those that are billed before
--         the cycle's own period burn them where it begins; at one instant
--         contract by contract; no more is paid than the lines sum to
-- money:  lines are rounded, and so is what grants hold, see grant_account_use;
--         where a currency rounds invoices, credits pay exact amounts

with line as (
    select
        item_line.contract_id,
        item_line.cycle_start,
        item_line.billing_period,
        item_line.counted_amount as amount
    from item_line

    union all

    select
        price_minimum.contract_id,
        price_minimum.cycle_start,
        price_minimum.billing_period,
        price_minimum.counted_amount as amount
    from price_minimum

    union all

    select
        minimum_line.contract_id,
        minimum_line.cycle_start,
        minimum_line.billing_period,
        minimum_line.counted_amount as amount
    from minimum_line

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

-- The cycles of the contracts whose lines an account pays.
paid_cycle as (
    select
        grant_account.contract_id as account_contract_id,
        grant_account.quota_id,
        grant_account.opened_at,
        billing_cycle.contract_id,
        billing_cycle.cycle_start,
        billing_cycle.cycle_end,
        billing_cycle.customer_id,
        billing_cycle.currency,
        billing_cycle.billing_period
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
        and billing_cycle.cycle_end > grant_account.opened_at
),

-- What is billed of a cycle in one period: its own, or an earlier one.
bill as (
    select
        paid_cycle.account_contract_id,
        paid_cycle.quota_id,
        paid_cycle.opened_at,
        paid_cycle.contract_id,
        paid_cycle.cycle_start,
        paid_cycle.cycle_end,
        case
            when paid_cycle.billing_period = line_total.billing_period
                then paid_cycle.cycle_end
            else paid_cycle.cycle_start
        end as happens_at,
        cast(
            case
                when paid_cycle.billing_period = line_total.billing_period then 0
                else 9
            end as integer
        ) as stage,
        paid_cycle.customer_id,
        line_total.amount,
        paid_cycle.currency,
        case
            when paid_cycle.billing_period = line_total.billing_period then ''
            else concat('/', line_total.billing_period)
        end as line_suffix,
        line_total.billing_period
    from paid_cycle
    inner join line_total
        on paid_cycle.contract_id = line_total.contract_id
        and paid_cycle.cycle_start = line_total.cycle_start
),

numbered_bill as (
    select
        bill.account_contract_id,
        bill.quota_id,
        cast(row_number() over (
            partition by bill.account_contract_id, bill.quota_id
            order by
                bill.happens_at,
                bill.stage,
                bill.contract_id,
                bill.cycle_start,
                bill.billing_period
        ) as integer) as read_number,
        bill.contract_id,
        bill.cycle_start,
        bill.cycle_end,
        bill.happens_at,
        bill.stage,
        bill.customer_id,
        bill.amount,
        bill.currency,
        bill.line_suffix,
        bill.billing_period
    from bill
    where bill.happens_at >= bill.opened_at
),

step as (
    select
        grant_event.contract_id,
        grant_event.quota_id,
        grant_event.happens_at,
        grant_event.stage,
        0 as read_number,
        grant_event.place,
        grant_event.kind,
        grant_event.amount,
        grant_event.least,
        grant_event.most
    from grant_event
    where grant_event.currency is not null

    union all

    select
        numbered_bill.account_contract_id as contract_id,
        numbered_bill.quota_id,
        numbered_bill.happens_at,
        numbered_bill.stage,
        numbered_bill.read_number,
        0 as place,
        'use' as kind,
        greatest(numbered_bill.amount, 0) as amount,
        null as least,
        null as most
    from numbered_bill

    union all

    -- What credits do not pay is no debt: the invoice asks for it.
    select
        numbered_bill.account_contract_id as contract_id,
        numbered_bill.quota_id,
        numbered_bill.happens_at,
        numbered_bill.stage,
        numbered_bill.read_number,
        1 as place,
        'read' as kind,
        0 as amount,
        null as least,
        null as most
    from numbered_bill
),

burnt as (
    select
        step.contract_id,
        step.quota_id,
        unnest(
            burn_down(
                array_agg(
                    {
                        'kind': step.kind,
                        'place': step.place,
                        'amount': step.amount,
                        'least': step.least,
                        'most': step.most
                    }
                    order by step.happens_at, step.stage, step.read_number, step.place
                )
            )
        ) as balance
    from step
    group by
        step.contract_id,
        step.quota_id
),

placed_grant as (
    select
        grant_event.contract_id,
        grant_event.quota_id,
        grant_event.place,
        grant_event.grant_id
    from grant_event
    where
        grant_event.stage = 1 -- where its account opens
        and grant_event.grant_id is not null
),

read_balance as (
    select
        burnt.contract_id,
        burnt.quota_id,
        burnt.balance['read_number'] as read_number,
        placed_grant.grant_id,
        burnt.balance['used'] as used_amount,
        burnt.balance['balance'] as balance
    from burnt
    inner join placed_grant
        on burnt.contract_id = placed_grant.contract_id
        and burnt.quota_id = placed_grant.quota_id
        and burnt.balance['place'] = placed_grant.place
)

select
    read_balance.grant_id,
    concat(
        numbered_bill.contract_id,
        '/',
        to_char(numbered_bill.cycle_start, '%Y-%m-%dT%H:%M'),
        '/credit',
        numbered_bill.line_suffix
    ) as line_id,
    numbered_bill.customer_id,
    numbered_bill.contract_id,
    numbered_bill.quota_id,
    numbered_bill.cycle_start,
    numbered_bill.cycle_end,
    numbered_bill.amount as line_amount,
    read_balance.used_amount,
    round_money(
        read_balance.used_amount,
        currency.decimals,
        currency.rounding
    ) as used_amount_rounded,
    read_balance.balance,
    numbered_bill.currency,
    numbered_bill.billing_period
from numbered_bill
inner join read_balance
    on numbered_bill.account_contract_id = read_balance.contract_id
    and numbered_bill.quota_id = read_balance.quota_id
    and numbered_bill.read_number = read_balance.read_number
left join currency
    on numbered_bill.currency = currency.currency
