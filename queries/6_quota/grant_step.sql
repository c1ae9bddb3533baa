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
        grant_event.step,
        grant_event.quantity
    from grant_event
    where grant_event.currency is null

    union all

    select distinct
        grant_event.contract_id,
        grant_event.quota_id,
        grant_event.happens_at,
        6 as stage,
        0 as place,
        'pay' as step,
        cast(null as decimal(38, 12)) as quantity
    from grant_event
    where
        grant_event.currency is null
        and grant_event.stage between 1 and 5
),

in_segment as (
    select
        with_payment.contract_id,
        with_payment.quota_id,
        with_payment.step,
        with_payment.quantity,
        count(with_payment.step) over (
            partition by with_payment.contract_id, with_payment.quota_id
            order by
                with_payment.happens_at,
                with_payment.stage,
                with_payment.place
        ) as segment_number
    from with_payment
),

in_order as (
    select
        with_payment.contract_id,
        with_payment.quota_id,
        row_number() over (
            partition by with_payment.contract_id, with_payment.quota_id
            order by
                with_payment.happens_at,
                with_payment.stage,
                with_payment.place
        ) as segment_number,
        0 as place,
        with_payment.step
    from with_payment
    where with_payment.step is not null

    union all

    select
        in_segment.contract_id,
        in_segment.quota_id,
        in_segment.segment_number,
        1 as place,
        concat('use:', sum(in_segment.quantity)) as step
    from in_segment
    where in_segment.step is null
    group by
        in_segment.contract_id,
        in_segment.quota_id,
        in_segment.segment_number
)

select
    in_order.contract_id,
    in_order.quota_id,
    in_order.segment_number * 2 + in_order.place as step_number,
    in_order.step
from in_order
