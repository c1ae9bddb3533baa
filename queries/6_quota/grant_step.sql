-- grant_step: in which order do grants, overage and usage meet?
--
-- grain:  contract_id, quota_id, step_number
-- reads:  grant_event
-- rule:   accounts of a quantity, see credit_balance for those of money; whatever
--         sets a balance, overage takes from at once; between two
--         instants at which something happens to the grants the order of usage
--         is of no matter, so it is added up

with with_payment as (
    select
        grant_event.contract_id,
        grant_event.quota_id,
        grant_event.happens_at,
        grant_event.stage,
        grant_event.place,
        grant_event.kind,
        grant_event.amount,
        grant_event.least,
        grant_event.most
    from grant_event
    where grant_event.currency is null

    union all

    select distinct
        grant_event.contract_id,
        grant_event.quota_id,
        grant_event.happens_at,
        6 as stage,
        0 as place,
        'pay' as kind,
        cast(null as decimal(38, 12)) as amount,
        cast(null as decimal(38, 12)) as least,
        cast(null as decimal(38, 12)) as most
    from grant_event
    where
        grant_event.currency is null
        and grant_event.stage between 1 and 5
),

in_segment as (
    select
        with_payment.contract_id,
        with_payment.quota_id,
        with_payment.place,
        with_payment.kind,
        with_payment.amount,
        with_payment.least,
        with_payment.most,
        count(case when with_payment.kind <> 'use' then 1 end) over (
            partition by with_payment.contract_id, with_payment.quota_id
            order by
                with_payment.happens_at,
                with_payment.stage,
                with_payment.place
        ) as segment_number
    from with_payment
)

select
    in_segment.contract_id,
    in_segment.quota_id,
    in_segment.segment_number * 2 as step_number,
    in_segment.place,
    in_segment.kind,
    in_segment.amount,
    in_segment.least,
    in_segment.most
from in_segment
where in_segment.kind <> 'use'

union all

-- Less than nothing, such as a correction, is given back.
select
    in_segment.contract_id,
    in_segment.quota_id,
    in_segment.segment_number * 2 + 1 as step_number,
    null as place,
    case when sum(in_segment.amount) < 0 then 'give' else 'use' end as kind,
    abs(sum(in_segment.amount)) as amount,
    null as least,
    null as most
from in_segment
where in_segment.kind = 'use'
group by
    in_segment.contract_id,
    in_segment.quota_id,
    in_segment.segment_number
