-- guided_total: how much usage was guided to each period?
--
-- grain:  billing_period, usage_type
-- reads:  counted_usage
-- rule:   what is guided has a quantity, which the contract of guiding asks for

select
    counted_usage.billing_period,
    counted_usage.usage_type,
    count(*) as record_count,
    sum(coalesce(counted_usage.quantity, 0)) as quantity,
    sum(
        cast(
            row_hash(
                counted_usage.landing_sequence,
                counted_usage.contract_item_id,
                counted_usage.part_number
            ) as decimal(38, 0)
        )
    ) as id_hash
from counted_usage
group by
    counted_usage.billing_period,
    counted_usage.usage_type
