-- usage_by_landing: from which landing is the guided usage of each product and
-- period, and from how many accounts and vehicles?
--
-- reads: guided_usage, usage_record

select
    usage_record.landing_id,
    guided_usage.product_id,
    guided_usage.billing_period,
    count(*) as records,
    count(distinct usage_record.account_id) as accounts,
    count(distinct usage_record.vin) as vehicles,
    sum(guided_usage.quantity) as quantity
from guided_usage
inner join usage_record
    on guided_usage.landing_sequence = usage_record.landing_sequence
group by
    usage_record.landing_id,
    guided_usage.product_id,
    guided_usage.billing_period
order by
    usage_record.landing_id,
    guided_usage.product_id,
    guided_usage.billing_period
