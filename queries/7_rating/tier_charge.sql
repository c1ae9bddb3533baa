-- tier_charge: what does each quantity cost by the charge model of its price?
--
-- grain:  contract_item_id, cycle_start, price_id, group_key, tier_number
-- reads:  unit_charge, level_graduated_charge, capacity_charge, flat_charge,
--         record_total_charge
-- rule:   a price has one model, and each model a query of its own in `by_model`; an
--         amount of more than 20 digits before the point is no charge, and the check
--         tier_quantity parks its customer: a sum has 26, so that a million has room
-- money:  unrounded, decimal(38, 12)

select
    unit_charge.contract_item_id,
    unit_charge.cycle_start,
    unit_charge.price_id,
    unit_charge.group_key,
    unit_charge.tier_number,
    unit_charge.quantity,
    unit_charge.block_count,
    unit_charge.unit_amount,
    unit_charge.flat_amount,
    unit_charge.amount,
    unit_charge.billing_period
from unit_charge

union all

select
    level_graduated_charge.contract_item_id,
    level_graduated_charge.cycle_start,
    level_graduated_charge.price_id,
    level_graduated_charge.group_key,
    level_graduated_charge.tier_number,
    level_graduated_charge.quantity,
    cast(null as decimal(38, 12)) as block_count,
    level_graduated_charge.unit_amount,
    level_graduated_charge.flat_amount,
    level_graduated_charge.amount,
    level_graduated_charge.billing_period
from level_graduated_charge
where abs(level_graduated_charge.amount) < 100000000000000000000

union all

select
    capacity_charge.contract_item_id,
    capacity_charge.cycle_start,
    capacity_charge.price_id,
    capacity_charge.group_key,
    capacity_charge.tier_number,
    capacity_charge.quantity,
    cast(null as decimal(38, 12)) as block_count,
    cast(null as decimal(38, 12)) as unit_amount,
    capacity_charge.flat_amount,
    capacity_charge.flat_amount as amount,
    capacity_charge.billing_period
from capacity_charge

union all

select
    flat_charge.contract_item_id,
    flat_charge.cycle_start,
    flat_charge.price_id,
    flat_charge.group_key,
    cast(0 as integer) as tier_number,
    flat_charge.quantity,
    cast(null as decimal(38, 12)) as block_count,
    cast(null as decimal(38, 12)) as unit_amount,
    flat_charge.flat_amount,
    flat_charge.amount,
    flat_charge.billing_period
from flat_charge

union all

select
    record_total_charge.contract_item_id,
    record_total_charge.cycle_start,
    record_total_charge.price_id,
    record_total_charge.group_key,
    cast(0 as integer) as tier_number,
    record_total_charge.quantity,
    cast(null as decimal(38, 12)) as block_count,
    cast(null as decimal(38, 12)) as unit_amount,
    cast(0 as decimal(38, 12)) as flat_amount,
    record_total_charge.amount,
    record_total_charge.billing_period
from record_total_charge
where abs(record_total_charge.amount) < 100000000000000000000
