-- open_usage: the records that count and do not stand in closed books.
--
-- grain:  landing_sequence
-- reads:  unsettled_record, usage_duplicate, usage_exclusion, landing_hold
-- rule:   one for each identity; a record without an end has no duration, it ends
--         where it starts

select
    unsettled_record.landing_sequence,
    unsettled_record.source,
    unsettled_record.transaction_id,
    unsettled_record.usage_type,
    unsettled_record.usage_start,
    coalesce(unsettled_record.usage_end, unsettled_record.usage_start)
        as usage_end,
    unsettled_record.usage_end is not null as has_end,
    unsettled_record.contract_id,
    unsettled_record.account_id,
    unsettled_record.vin,
    unsettled_record.quantity,
    unsettled_record.unit,
    unsettled_record.unit_price,
    unsettled_record.distance,
    unsettled_record.attributes,
    unsettled_record.fields
from unsettled_record
where
    not exists (
        select 1
        from usage_duplicate
        where
            usage_duplicate.landing_sequence = unsettled_record.landing_sequence
    )
    and not exists (
        select 1
        from usage_exclusion
        where
            usage_exclusion.landing_sequence = unsettled_record.landing_sequence
    )
    and not exists (
        select 1
        from landing_hold
        where landing_hold.landing_id = unsettled_record.landing_id
    )
