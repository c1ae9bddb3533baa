-- waiting_amount: how much waits in suspense, as `close_limit` measures it?
--
-- grain:  limit_name, unit
-- reads:  waiting_usage

select
    'suspense_records' as limit_name,
    '' as unit,
    cast(sum(waiting_usage.records) as decimal(38, 12)) as found
from waiting_usage

union all

select
    'suspense_quantity' as limit_name,
    waiting_usage.unit,
    sum(waiting_usage.quantity) as found
from waiting_usage
group by waiting_usage.unit
