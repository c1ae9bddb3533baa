-- control_total: is every received record in exactly one place?
--
-- grain:  landing_id, usage_type, unit, place
-- reads:  landing, place_total, closed_total
-- rule:   received = rejected + held + discarded + duplicate + void + filtered
--         + suspended + written off + guided, which the check landing_balance
--         compares

with counted as (
    select
        place_total.landing_id,
        place_total.usage_type,
        place_total.unit,
        place_total.place,
        place_total.times,
        place_total.record_count,
        place_total.quantity,
        place_total.id_hash
    from place_total

    union all

    select
        closed_total.landing_id,
        closed_total.usage_type,
        closed_total.unit,
        'guided' as place,
        1 as times,
        closed_total.record_count,
        closed_total.quantity,
        closed_total.id_hash
    from closed_total
),

signed_total as (
    select
        counted.landing_id,
        counted.usage_type,
        counted.unit,
        counted.place,
        sum(counted.times * counted.record_count) as record_count,
        sum(counted.times * counted.quantity) as quantity,
        sum(counted.times * counted.id_hash) as id_hash
    from counted
    group by
        counted.landing_id,
        counted.usage_type,
        counted.unit,
        counted.place
)

select
    landing.landing_id,
    landing.usage_type,
    landing.unit,
    'received' as place,
    landing.record_count,
    landing.record_quantity as quantity,
    landing.id_hash
from landing

union all

select
    signed_total.landing_id,
    signed_total.usage_type,
    signed_total.unit,
    signed_total.place,
    signed_total.record_count,
    signed_total.quantity,
    signed_total.id_hash
from signed_total
where
    signed_total.record_count <> 0
    or signed_total.quantity <> 0
    or signed_total.id_hash <> 0
