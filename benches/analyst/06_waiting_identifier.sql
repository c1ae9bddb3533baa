-- waiting_identifier: which identifiers do the records name that wait?
--
-- reads: suspense, usage_record

select
    suspense.suspense_reason,
    coalesce(
        usage_record.contract_id, usage_record.account_id, usage_record.vin
    ) as identifier,
    count(*) as records,
    min(usage_record.usage_date) as first_date,
    max(usage_record.usage_date) as last_date
from suspense
inner join usage_record
    on suspense.landing_sequence = usage_record.landing_sequence
group by
    suspense.suspense_reason,
    coalesce(
        usage_record.contract_id, usage_record.account_id, usage_record.vin
    )
order by
    records desc,
    identifier,
    suspense.suspense_reason
limit 100
