-- quota_state: how far are quotas used in each period?
--
-- reads: quota_status

select
    quota_status.billing_period,
    quota_status.quota_id,
    quota_status.state,
    count(*) as owners,
    sum(quota_status.included_quantity) as included_quantity,
    sum(quota_status.used_quantity) as used_quantity,
    sum(quota_status.overage_quantity) as overage_quantity
from quota_status
group by
    quota_status.billing_period,
    quota_status.quota_id,
    quota_status.state
order by
    quota_status.billing_period,
    quota_status.quota_id,
    quota_status.state
