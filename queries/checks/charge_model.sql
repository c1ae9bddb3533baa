-- charge_model: a price has what its charge model needs, and nothing that the
-- model does not take.
--
-- A new charge model says here what it takes. A quota frees units: who prices each
-- record by itself, or each change of a level, does not say what a unit costs.

with taken as (
    select
        model.charge_model,
        model.part,
        model.is_needed
    from (
        values
        ('per_unit', 'unit_amount', true),
        ('per_unit', 'convert', false),
        ('per_unit', 'free_quantity', false),
        ('per_unit', 'block_quantity', false),
        ('per_unit', 'quota_id of an item', false),
        ('matrix', 'unit_amount', false),
        ('matrix', 'price_matrix', true),
        ('matrix', 'convert', false),
        ('matrix', 'free_quantity', false),
        ('matrix', 'block_quantity', false),
        ('matrix', 'quota_id of an item', false),
        ('graduated', 'price_tier', true),
        ('graduated', 'convert', false),
        ('graduated', 'free_quantity', false),
        ('graduated', 'tiers_go_on', false),
        ('graduated', 'unit_amount in price_tier', false),
        ('graduated', 'bounds in price_tier', false),
        ('graduated', 'block_quantity in price_tier', false),
        ('graduated', 'quota_id of an item', false),
        ('volume', 'price_tier', true),
        ('volume', 'convert', false),
        ('volume', 'free_quantity', false),
        ('volume', 'unit_amount in price_tier', false),
        ('volume', 'bounds in price_tier', false),
        ('volume', 'block_quantity in price_tier', false),
        ('volume', 'quota_id of an item', false),
        ('capacity', 'price_tier', true),
        ('capacity', 'capacity_limit', true),
        ('capacity', 'convert', false),
        ('capacity', 'free_quantity', false),
        ('capacity', 'quota_id of an item', false),
        ('level_volume', 'price_tier', true),
        ('level_volume', 'convert', false),
        ('level_volume', 'free_quantity', false),
        ('level_volume', 'unit_amount in price_tier', false),
        ('level_volume', 'bounds in price_tier', false),
        ('level_volume', 'block_quantity in price_tier', false),
        ('level_volume', 'quota_id of an item', false),
        ('level_graduated', 'price_tier', true),
        ('level_graduated', 'unit_amount in price_tier', false),
        ('level_graduated', 'bounds in price_tier', false),
        ('record_graduated', 'price_tier', true),
        ('record_graduated', 'zero_quantity', false),
        ('record_graduated', 'unit_amount in price_tier', false),
        ('record_graduated', 'bounds in price_tier', false),
        ('record_price', 'zero_quantity', false),
        ('record_amount', 'zero_quantity', false),
        ('percentage', 'unit_amount', true),
        ('percentage', 'flat_amount', false),
        ('percentage', 'record_allowance', false),
        ('percentage', 'zero_quantity', false),
        ('time_of_use', 'rate_schedule', true),
        ('time_of_use', 'rate_window', true),
        ('time_of_use', 'zero_quantity', false),
        ('dimension', 'dimension_rule', true),
        ('dimension', 'zero_quantity', false),
        ('flat', 'flat_amount', true),
        ('flat', 'proration', false),
        ('flat', 'quota_id of an item', false)
    ) as model (charge_model, part, is_needed)
),

given as (
    select
        price.price_id,
        'unit_amount' as part
    from price
    where price.unit_amount is not null

    union all

    select
        price.price_id,
        'flat_amount' as part
    from price
    where price.flat_amount is not null

    union all

    select
        price.price_id,
        'proration' as part
    from price
    where price.proration <> 'none'

    union all

    select
        price_modifier.price_id,
        'convert' as part
    from price_modifier
    where
        price_modifier.convert_factor <> 1
        or price_modifier.convert_divisor <> 1
        or price_modifier.convert_rounding <> 'none'

    union all

    select
        price_modifier.price_id,
        'free_quantity' as part
    from price_modifier
    where price_modifier.free_quantity <> 0

    union all

    select
        price_modifier.price_id,
        'block_quantity' as part
    from price_modifier
    where price_modifier.block_quantity is not null

    union all

    select
        price_modifier.price_id,
        'tiers_go_on' as part
    from price_modifier
    where price_modifier.tiers_go_on

    union all

    select
        price_modifier.price_id,
        'zero_quantity' as part
    from price_modifier
    where price_modifier.zero_quantity <> 'charged'

    union all

    select
        record_allowance.price_id,
        'record_allowance' as part
    from record_allowance

    union all

    select
        price_tier.price_id,
        'price_tier' as part
    from price_tier

    union all

    select
        price_tier.price_id,
        'unit_amount in price_tier' as part
    from price_tier
    where price_tier.unit_amount <> 0

    union all

    select
        price_tier.price_id,
        'bounds in price_tier' as part
    from price_tier
    where price_tier.quantity_from <> 0 or price_tier.quantity_to is not null

    union all

    select
        price_tier.price_id,
        'block_quantity in price_tier' as part
    from price_tier
    where price_tier.block_quantity is not null

    union all

    select
        price.price_id,
        'quota_id of an item' as part
    from contract_item
    inner join price
        on contract_item.product_id = price.product_id
    where contract_item.quota_id is not null

    union all

    select
        price_matrix.price_id,
        'price_matrix' as part
    from price_matrix

    union all

    select
        capacity_limit.price_id,
        'capacity_limit' as part
    from capacity_limit

    union all

    select
        rate_schedule.price_id,
        'rate_schedule' as part
    from rate_schedule

    union all

    select
        rate_window.price_id,
        'rate_window' as part
    from rate_window

    union all

    select
        dimension_rule.price_id,
        'dimension_rule' as part
    from dimension_rule
),

superfluous as (
    select distinct
        given.price_id,
        price.charge_model,
        given.part
    from given
    inner join price
        on given.price_id = price.price_id
    left join taken
        on price.charge_model = taken.charge_model
        and given.part = taken.part
    where taken.part is null
)

select
    superfluous.price_id,
    superfluous.charge_model,
    concat('does not take ', superfluous.part) as mistake
from superfluous

union all

select
    price.price_id,
    price.charge_model,
    concat('has no ', taken.part) as mistake
from price
inner join taken
    on price.charge_model = taken.charge_model
where
    taken.is_needed
    and not exists (
        select 1
        from given
        where
            given.price_id = price.price_id
            and given.part = taken.part
    )

union all

select
    price.price_id,
    price.charge_model,
    concat(
        'window ', cast(rate_window.window_number as varchar),
        ' has no rate_step from 0'
    ) as mistake
from rate_window
inner join price
    on rate_window.price_id = price.price_id
where not exists (
    select 1
    from rate_step
    where
        rate_step.price_id = rate_window.price_id
        and rate_step.window_number = rate_window.window_number
        and rate_step.elapsed_from = 0
)

union all

select
    price.price_id,
    price.charge_model,
    concat(
        'tiers that go on are charged by the unit: tier ',
        cast(price_tier.tier_number as varchar), ' has a block_quantity'
    ) as mistake
from price_modifier
inner join price
    on price_modifier.price_id = price.price_id
inner join price_tier
    on price.price_id = price_tier.price_id
where
    price_modifier.tiers_go_on
    and price_tier.block_quantity is not null

union all

-- A level goes on, or is there for a share of the cycle.
select
    price.price_id,
    price.charge_model,
    'has no metric of a level' as mistake
from price
where
    price.charge_model in ('level_volume', 'level_graduated')
    and not exists (
        select 1
        from metric
        where
            metric.product_id = price.product_id
            and (
                price.charge_model = 'level_volume'
                or metric.carries_over
                or metric.proration <> 'none'
                or metric.aggregation = 'weighted_sum'
                or (
                    metric.aggregation = 'unique_count'
                    and metric.window_interval is null
                )
            )
    )

union all

select
    price.price_id,
    price.charge_model,
    concat(
        'window ', cast(rate_step.window_number as varchar),
        ' has several rate_steps from one length'
    ) as mistake
from rate_step
inner join price
    on rate_step.price_id = price.price_id
group by
    price.price_id,
    price.charge_model,
    rate_step.window_number,
    rate_step.elapsed_from
having count(*) > 1

union all

select
    price.price_id,
    price.charge_model,
    concat(
        'has several rate_windows from ', rate_window.start_time,
        ' that nothing tells apart'
    ) as mistake
from rate_window
inner join price
    on rate_window.price_id = price.price_id
group by
    price.price_id,
    price.charge_model,
    rate_window.weekdays,
    rate_window.months,
    rate_window.month_days,
    rate_window.start_time,
    rate_window.weight
having count(*) > 1

union all

-- Of the thresholds of a field only the highest holds.
select
    price.price_id,
    price.charge_model,
    concat(
        'rule_group ', dimension_rule.rule_group,
        ' has several dimension_rules with one threshold'
    ) as mistake
from dimension_rule
inner join price
    on dimension_rule.price_id = price.price_id
where dimension_rule.threshold is not null
group by
    price.price_id,
    price.charge_model,
    dimension_rule.rule_group,
    dimension_rule.field,
    dimension_rule.threshold
having count(*) > 1
