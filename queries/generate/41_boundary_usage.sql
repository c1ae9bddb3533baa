-- boundary_usage: records that hit the boundaries of quotas and tiers exactly.
--
-- grain:  file, transaction_id
-- rule:   for the contracts of the first block, which have no other usage, in
--         October 2026

with boundary_usage (
    transaction_id, usage_type, usage_start, account_id, vin, quantity, unit,
    distance
) as (
    values
    -- Together the 1500 km that the fleet has free.
    ('boundary-1', 'CarRentUsage', '2026-10-05T08:00:00Z', null,
        'MHZ00000000000000', null, null, 1000),
    ('boundary-2', 'CarRentUsage', '2026-10-06T08:00:00Z', null,
        'MHZ00000000000003', null, null, 500),
    -- The first record of a month in Berlin, the last one of the one before.
    ('boundary-3', 'CarRentUsage', '2026-09-30T22:00:00Z', null,
        'MHZ00000000000000', null, null, 0),
    ('boundary-4', 'CarRentUsage', '2026-09-30T21:59:59Z', null,
        'MHZ00000000000000', null, null, 0),
    -- The instant at which the price of driving changes, and the one before.
    ('boundary-5', 'CarRentUsage', '2026-10-14T22:00:00Z', null,
        'MHZ00000000000003', null, null, 1),
    ('boundary-6', 'CarRentUsage', '2026-10-14T21:59:59Z', null,
        'MHZ00000000000003', null, null, 1),
    -- 1000 GB-days are the whole first tier, 0.1 more reach the second.
    ('boundary-7', 'storage', '2026-10-07T12:00:00Z',
        'account-storage-000000', null, 1000, 'GB-day', null),
    ('boundary-8', 'storage', '2026-10-14T12:00:00Z',
        'account-storage-000000', null, 1000.1, 'GB-day', null),
    -- 300 minutes are included.
    ('boundary-9', 'call', '2026-10-07T12:00:00Z', 'account-phone-000000',
        null, 300, 'minute', null),
    -- Nothing is something that happened, too.
    ('boundary-10', 'charging', '2026-10-07T12:00:00Z',
        'account-charging-000000', null, 0, 'kWh', null)
)

select
    'boundary' as file,
    boundary_usage.transaction_id,
    boundary_usage.usage_type,
    boundary_usage.usage_start,
    boundary_usage.account_id,
    boundary_usage.vin,
    boundary_usage.quantity,
    boundary_usage.unit,
    boundary_usage.distance
from boundary_usage
