-- quota: the quotas that the lines of business add.
--
-- grain:  quota_id, valid_from

select
    'call_minutes' as quota_id,
    300 as included_quantity,
    'none' as proration,
    '2026-01-01' as valid_from,
    cast(null as varchar) as valid_to
