-- known_model: which charge models are there, and what does a price need and take?
--
-- grain:  charge_model
-- reads:
-- rule:   a new charge model is a row here and a query; given_part has the parts; a
--         quota frees units: who prices each record by itself, or each change of a
--         level, does not say what a unit costs

select
    model.charge_model,
    model.needs,
    model.takes
from (
    values
    (
        'per_unit',
        ['unit_amount'],
        ['convert', 'free_quantity', 'block_quantity', 'quota_id of an item']
    ),
    (
        'matrix',
        ['price_matrix'],
        [
            'unit_amount', 'convert', 'free_quantity', 'block_quantity',
            'quota_id of an item'
        ]
    ),
    (
        'graduated',
        ['price_tier'],
        [
            'convert', 'free_quantity', 'tiers_go_on', 'unit_amount in price_tier',
            'bounds in price_tier', 'block_quantity in price_tier',
            'quota_id of an item'
        ]
    ),
    (
        'volume',
        ['price_tier'],
        [
            'convert', 'free_quantity', 'unit_amount in price_tier',
            'bounds in price_tier', 'block_quantity in price_tier',
            'quota_id of an item', 'volume_due of an interim_cycle'
        ]
    ),
    (
        'capacity',
        ['price_tier', 'capacity_limit'],
        ['convert', 'free_quantity', 'quota_id of an item']
    ),
    (
        'level_volume',
        ['price_tier'],
        [
            'convert', 'free_quantity', 'unit_amount in price_tier',
            'bounds in price_tier', 'block_quantity in price_tier',
            'quota_id of an item', 'volume_due of an interim_cycle'
        ]
    ),
    (
        'level_graduated',
        ['price_tier'],
        ['unit_amount in price_tier', 'bounds in price_tier']
    ),
    (
        'record_graduated',
        ['price_tier'],
        ['zero_quantity', 'unit_amount in price_tier', 'bounds in price_tier']
    ),
    ('record_price', [], ['zero_quantity']),
    ('record_amount', [], ['zero_quantity']),
    (
        'percentage',
        ['unit_amount'],
        ['flat_amount', 'record_allowance', 'zero_quantity']
    ),
    ('time_of_use', ['rate_schedule', 'rate_window'], ['zero_quantity']),
    ('dimension', ['dimension_rule'], ['zero_quantity']),
    ('flat', ['flat_amount'], ['proration', 'quota_id of an item'])
) as model (charge_model, needs, takes)
