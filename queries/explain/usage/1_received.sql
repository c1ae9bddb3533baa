-- received: what arrived under this id, in order of arrival
with received as (
    select
        usage_record.landing_sequence,
        usage_record.source,
        usage_record.usage_type,
        usage_record.usage_start,
        coalesce(
            'contract ' || usage_record.contract_id,
            'account ' || usage_record.account_id,
            'vehicle ' || usage_record.vin,
            'none'
        ) as identifier,
        usage_record.quantity,
        fields_json(usage_record.fields) as fields
    from usage_record
    where
        usage_record.transaction_id = $transaction_id
        and usage_record.source
        = coalesce(cast($source as varchar), usage_record.source)

    union all

    select
        usage_rejected.landing_sequence,
        cast(null as varchar) as source,
        usage_rejected.usage_type,
        cast(null as timestamp with time zone) as usage_start,
        concat('line ', usage_rejected.line_number) as identifier,
        cast(null as decimal(38, 12)) as quantity,
        cast(null as varchar) as fields
    from usage_rejected
    where usage_rejected.transaction_id = $transaction_id
),

landed as (
    select
        landing.landing_id,
        min(landing.file_name) as file_name
    from landing
    group by landing.landing_id
)

select
    received.landing_sequence,
    landed.file_name,
    received.source,
    received.usage_type,
    received.usage_start,
    received.identifier,
    received.quantity,
    received.fields
from received
left join landed
    on landing_of(received.landing_sequence) = landed.landing_id
order by received.landing_sequence
