-- item_total: what do the records of an item add up to in a cycle, by the price that
-- is in force for each?
--
-- grain:  contract_item_id, cycle_start, price_id, billing_period
-- reads:  priced_usage
-- rule:   sums and counts alone, so that what is new is added to what was there

select
    priced_usage.contract_item_id,
    priced_usage.cycle_start,
    priced_usage.price_id,
    count(*) as record_count,
    cast(
        sum(case when priced_usage.guided_part is not null then 1 else 0 end)
        as bigint
    ) as part_count,
    sum(coalesce(priced_usage.quantity, 0)) as quantity,
    sum(coalesce(priced_usage.record_amount, 0)) as record_amount,
    sum(
        case
            when priced_usage.guided_part is not null
                then cast(
                    row_hash(
                        priced_usage.landing_sequence,
                        priced_usage.contract_item_id,
                        priced_usage.guided_part
                    ) as decimal(38, 0)
                )
            else 0
        end
    ) as id_hash,
    priced_usage.billing_period
from priced_usage
group by
    priced_usage.contract_item_id,
    priced_usage.cycle_start,
    priced_usage.price_id,
    priced_usage.billing_period
