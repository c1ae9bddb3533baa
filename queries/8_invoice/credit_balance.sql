-- credit_balance: what do credits pay of a cycle's lines, and what is left?
--
-- grain:  grant_id, line_id
-- reads:  grant_event, bill, currency
-- rule:   no more is paid than the lines sum to; what credits do not pay is not a debt:
--         the invoice asks for it
-- money:  lines are rounded, and so is what grants hold, see grant_account_use;
--         where a currency rounds invoices, credits pay exact amounts

with step as (
    select
        grant_event.contract_id,
        grant_event.quota_id,
        grant_event.happens_at,
        grant_event.stage,
        0 as bill_number,
        grant_event.place,
        grant_event.kind,
        grant_event.amount,
        grant_event.least,
        grant_event.most
    from grant_event
    where grant_event.currency is not null

    union all

    -- A bill is paid, and then the balances are read.
    select
        bill.account_contract_id as contract_id,
        bill.quota_id,
        bill.happens_at,
        bill.stage,
        bill.bill_number,
        done.place,
        done.kind,
        case done.kind when 'use' then greatest(bill.amount, 0) else 0 end as amount,
        null as least,
        null as most
    from bill
    cross join (values (0, 'use'), (1, 'read')) as done (place, kind)
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
                    order by step.happens_at, step.stage, step.bill_number, step.place
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
)

select
    placed_grant.grant_id,
    bill.line_id,
    bill.customer_id,
    bill.contract_id,
    bill.quota_id,
    bill.cycle_start,
    bill.cycle_end,
    bill.amount as line_amount,
    burnt.balance['used'] as used_amount,
    round_money(
        burnt.balance['used'], currency.decimals, currency.rounding
    ) as used_amount_rounded,
    burnt.balance['balance'] as balance,
    bill.currency,
    bill.billing_period
from burnt
inner join placed_grant
    on burnt.contract_id = placed_grant.contract_id
    and burnt.quota_id = placed_grant.quota_id
    and burnt.balance['place'] = placed_grant.place
inner join bill
    on burnt.contract_id = bill.account_contract_id
    and burnt.quota_id = bill.quota_id
    and burnt.balance['read_number'] = bill.bill_number
left join currency
    on bill.currency = currency.currency
