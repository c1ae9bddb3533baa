-- metering: how much was used at each price?

create table metered_usage as
with total as (
    select
        charge_number,
        count(*) as record_count,
        sum(quantity) as quantity,
        sum(cast(quantity * record_price as decimal(38, 12))) as record_amount
    from guided_usage
    group by charge_number
)

select
    item_cycle.*,
    coalesce(record_count, 0) as record_count,
    coalesce(quantity, 0) as quantity,
    coalesce(record_amount, 0) as record_amount
from item_cycle
left join total using (charge_number);

copy (
    select
        contract_item_id,
        cycle_start,
        price_id,
        record_count,
        quantity,
        record_amount,
        billing_period
    from metered_usage
) to 'metered_usage.parquet' (compression zstd, compression_level 1);
