-- usage: the records that count, one for each identity.
--
-- grain:  landing_sequence
-- reads:  usage_record, usage_duplicate, usage_exclusion, landing_hold
-- rule:   a record without an end has no duration; it ends where it starts

select
    usage_record.landing_sequence,
    usage_record.source,
    usage_record.transaction_id,
    usage_record.usage_type,
    usage_record.usage_start,
    coalesce(usage_record.usage_end, usage_record.usage_start) as usage_end,
    usage_record.usage_end is not null as has_end,
    usage_record.contract_id,
    usage_record.account_id,
    usage_record.vin,
    usage_record.quantity,
    usage_record.unit,
    usage_record.unit_price,
    usage_record.distance,
    usage_record.attributes,
    usage_record.fields
from usage_record
where
    not exists (
        select 1
        from usage_duplicate
        where usage_duplicate.landing_sequence = usage_record.landing_sequence
    )
    and not exists (
        select 1
        from usage_exclusion
        where usage_exclusion.landing_sequence = usage_record.landing_sequence
    )
    and not exists (
        select 1
        from landing_hold
        where landing_hold.landing_id = usage_record.landing_id
    )
