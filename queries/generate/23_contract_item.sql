-- contract_item: what each line of business is charged for.
--
-- grain:  contract_item_id
-- reads:  generated_contract

with offer (
    business, item_suffix, product_id, description, usage_type,
    quantity_field, price_field, unit, quota_id, quota_scope, usage_shown
) as (
    values
    ('fleet', 'fee', 'fleet_fee', 'Fleet management', null, null, null, null,
        null, 'contract', 'full'),
    ('fleet', 'km', 'driven_km', 'Kilometres driven', 'CarRentUsage',
        'distance', null, 'km', 'fleet_km', 'customer', 'full'),
    ('fleet', 'rent', 'rental', 'Rentals', 'CarRentUsage', 'records', null,
        'rental', null, 'contract', 'full'),
    ('api', 'calls', 'api_call', 'API calls', 'api_call', 'quantity', null,
        'call', 'api_included', 'contract', 'overage'),
    ('storage', 'storage', 'storage', 'Storage', 'storage', 'quantity', null,
        'GB-day', null, 'contract', 'full'),
    ('translation', 'jobs', 'translation', 'Translation jobs', 'translation',
        'quantity', 'unit_price', 'word', null, 'contract', 'full'),
    ('support', 'support', 'support', 'Premium support', null, null, null,
        null, null, 'contract', 'full'),
    ('phone', 'plan', 'phone_plan', 'Phone plan', null, null, null, null, null,
        'contract', 'full'),
    ('phone', 'calls', 'call_minute', 'Call minutes', 'call', 'quantity', null,
        'minute', 'call_minutes', 'contract', 'overage'),
    ('charging', 'energy', 'energy', 'Energy', 'charging', 'quantity', null,
        'kWh', null, 'contract', 'full'),
    ('charging', 'session', 'charging_session', 'Charging sessions',
        'charging', 'records', null, 'session', null, 'contract', 'full')
)

select
    concat(generated_contract.contract_id, '-', offer.item_suffix)
        as contract_item_id,
    generated_contract.contract_id,
    offer.product_id,
    offer.description,
    offer.usage_type,
    offer.quantity_field,
    offer.price_field,
    offer.unit,
    offer.quota_id,
    offer.quota_scope,
    generated_contract.contract_number % 8 + 1 as draw_order,
    'suspend' as unpriced_usage,
    offer.usage_shown,
    generated_contract.valid_from,
    generated_contract.valid_to
from generated_contract
inner join offer
    on generated_contract.business = offer.business
order by
    generated_contract.contract_id,
    offer.item_suffix
