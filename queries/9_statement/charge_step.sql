-- charge_step: how does the quantity of an item's line become its exact amount?
--
-- grain:  line_id, place, what
-- reads:  fee_step, tier_step, discount_step, no_charge_step

select
    fee_step.line_id,
    fee_step.billing_period,
    fee_step.currency,
    fee_step.stage,
    fee_step.place,
    fee_step.what,
    fee_step.formula,
    fee_step.amount,
    fee_step.by_rule,
    fee_step.made_by
from fee_step

union all

select
    tier_step.line_id,
    tier_step.billing_period,
    tier_step.currency,
    tier_step.stage,
    tier_step.place,
    tier_step.what,
    tier_step.formula,
    tier_step.amount,
    tier_step.by_rule,
    tier_step.made_by
from tier_step

union all

select
    discount_step.line_id,
    discount_step.billing_period,
    discount_step.currency,
    discount_step.stage,
    discount_step.place,
    discount_step.what,
    discount_step.formula,
    discount_step.amount,
    discount_step.by_rule,
    discount_step.made_by
from discount_step

union all

select
    no_charge_step.line_id,
    no_charge_step.billing_period,
    no_charge_step.currency,
    no_charge_step.stage,
    no_charge_step.place,
    no_charge_step.what,
    no_charge_step.formula,
    no_charge_step.amount,
    no_charge_step.by_rule,
    no_charge_step.made_by
from no_charge_step
