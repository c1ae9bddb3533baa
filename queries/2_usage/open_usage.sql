-- open_usage: the records that count and do not stand in closed books.
--
-- grain:  landing_sequence
-- reads:  usage, booked_landing, open_record
-- rule:   what stands in closed books keeps its guiding, so nothing that comes
--         before that is asked of it again

select
    usage.landing_sequence,
    usage.source,
    usage.transaction_id,
    usage.usage_type,
    usage.usage_start,
    usage.usage_end,
    usage.has_end,
    usage.contract_id,
    usage.account_id,
    usage.vin,
    usage.quantity,
    usage.unit,
    usage.unit_price,
    usage.distance,
    usage.attributes,
    usage.fields
from usage
left join booked_landing
    on landing_of(usage.landing_sequence) = booked_landing.landing_id
left join open_record
    on usage.landing_sequence = open_record.landing_sequence
where
    booked_landing.landing_id is null
    or open_record.landing_sequence is not null
