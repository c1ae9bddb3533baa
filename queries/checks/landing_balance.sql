-- landing_balance: received = rejected + held + discarded + duplicate + void
-- + filtered + suspended + written off + guided.
--
-- Each landing and usage type, by count, by quantity and by a hash of the ids.

with balance as (
    select
        control_total.landing_id,
        control_total.usage_type,
        control_total.unit,
        sum(
            case when control_total.place = 'received' then 1 else -1 end
            * control_total.record_count
        ) as records_missing,
        sum(
            case when control_total.place = 'received' then 1 else -1 end
            * control_total.quantity
        ) as quantity_missing,
        sum(
            case when control_total.place = 'received' then 1 else -1 end
            * control_total.id_hash
        ) as id_hash_difference
    from control_total
    group by
        control_total.landing_id,
        control_total.usage_type,
        control_total.unit
)

select
    balance.landing_id,
    balance.usage_type,
    balance.unit,
    balance.records_missing,
    balance.quantity_missing,
    balance.id_hash_difference
from balance
where
    balance.records_missing <> 0
    or balance.quantity_missing <> 0
    or balance.id_hash_difference <> 0
