-- period_balance: all guided usage stands behind lines.

with balance as (
    select
        period_total.billing_period,
        period_total.usage_type,
        sum(
            case when period_total.place = 'guided' then 1 else -1 end
            * period_total.record_count
        ) as records_missing,
        sum(
            case when period_total.place = 'guided' then 1 else -1 end
            * period_total.quantity
        ) as quantity_missing,
        sum(
            case when period_total.place = 'guided' then 1 else -1 end
            * period_total.id_hash
        ) as id_hash_difference
    from period_total
    group by
        period_total.billing_period,
        period_total.usage_type
)

select
    balance.billing_period,
    balance.usage_type,
    balance.records_missing,
    balance.quantity_missing,
    balance.id_hash_difference
from balance
where
    balance.records_missing <> 0
    or balance.quantity_missing <> 0
    or balance.id_hash_difference <> 0
