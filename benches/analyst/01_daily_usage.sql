-- daily_usage: how much was received of each type of usage on each day?
--
-- reads: usage_record

select
    usage_record.usage_date,
    usage_record.usage_type,
    count(*) as records,
    count(distinct usage_record.account_id) as accounts,
    count(distinct usage_record.vin) as vehicles,
    sum(usage_record.quantity) as quantity,
    sum(usage_record.distance) as distance
from usage_record
group by
    usage_record.usage_date,
    usage_record.usage_type
order by
    usage_record.usage_date,
    usage_record.usage_type
