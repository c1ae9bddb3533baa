-- known_model: which charge models are there, and what does a price need and take?
--
-- grain:  charge_model
-- reads:
-- rule:   a new charge model is a row here and a query: it prices the quantity of a
--         cycle, each record by its quantity, or by its other details; given_part
--         has the parts that it needs and takes; a quota frees units: who prices
--         each record by itself, or each change of a level, does not say what a unit
--         costs

select
    model.charge_model,
    model.prices,
    model.needs,
    model.takes
from (
    values
    (
        'per_unit',
        'quantity',
        ['unit_amount'],
        ['convert', 'free_quantity', 'block_quantity', 'quota_id of an item']
    ),
    (
        'matrix',
        'quantity',
        ['price_matrix'],
        [
            'unit_amount', 'convert', 'free_quantity', 'block_quantity',
            'quota_id of an item'
        ]
    ),
    (
        'graduated',
        'quantity',
        ['price_tier'],
        [
            'convert', 'free_quantity', 'tiers_go_on', 'unit_amount in price_tier',
            'bounds in price_tier', 'block_quantity in price_tier',
            'quota_id of an item'
        ]
    ),
    (
        'volume',
        'quantity',
        ['price_tier'],
        [
            'convert', 'free_quantity', 'unit_amount in price_tier',
            'bounds in price_tier', 'block_quantity in price_tier',
            'quota_id of an item', 'volume_due of an interim_cycle'
        ]
    ),
    (
        'capacity',
        'quantity',
        ['price_tier', 'capacity_limit'],
        ['convert', 'free_quantity', 'quota_id of an item']
    ),
    (
        'level_volume',
        'quantity',
        ['price_tier'],
        [
            'convert', 'free_quantity', 'unit_amount in price_tier',
            'bounds in price_tier', 'block_quantity in price_tier',
            'quota_id of an item', 'volume_due of an interim_cycle'
        ]
    ),
    (
        'level_graduated',
        'quantity',
        ['price_tier'],
        ['unit_amount in price_tier', 'bounds in price_tier']
    ),
    (
        'record_graduated',
        'record',
        ['price_tier'],
        ['zero_quantity', 'unit_amount in price_tier', 'bounds in price_tier']
    ),
    ('record_price', 'record', [], ['zero_quantity']),
    ('record_amount', 'record', [], ['zero_quantity']),
    (
        'percentage',
        'detail',
        ['unit_amount'],
        ['flat_amount', 'record_allowance', 'zero_quantity']
    ),
    ('time_of_use', 'detail', ['rate_schedule', 'rate_window'], ['zero_quantity']),
    ('dimension', 'detail', ['dimension_rule'], ['zero_quantity']),
    ('flat', 'quantity', ['flat_amount'], ['proration', 'quota_id of an item'])
) as model (charge_model, prices, needs, takes)
