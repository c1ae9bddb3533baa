-- price: the prices that the lines of business add to the price list.
--
-- grain:  price_id
-- rule:   energy becomes dearer in the middle of September

with generated_price (
    price_id, product_id, charge_model, unit_amount, flat_amount,
    billing_timing, proration, valid_from, valid_to
) as (
    values
    ('phone_plan-2026', 'phone_plan', 'flat', null, 15.00,
        'advance', 'days', '2026-01-01', null),
    ('call_minute-2026', 'call_minute', 'per_unit', 0.05, null,
        'arrears', 'none', '2026-01-01', null),
    ('energy-2026', 'energy', 'per_unit', 0.42, null,
        'arrears', 'none', '2026-01-01', '2026-09-16'),
    ('energy-autumn', 'energy', 'per_unit', 0.47, null,
        'arrears', 'none', '2026-09-16', null),
    ('charging_session-2026', 'charging_session', 'per_unit', 0.35, null,
        'arrears', 'none', '2026-01-01', null)
)

select
    generated_price.price_id,
    generated_price.product_id,
    generated_price.charge_model,
    generated_price.unit_amount,
    generated_price.flat_amount,
    generated_price.billing_timing,
    generated_price.proration,
    generated_price.valid_from,
    generated_price.valid_to
from generated_price
