-- quantity_step: how does usage become the quantity that an item's line pays for?
--
-- grain:  line_id, stage
-- reads:  usage_step, quota_step, conversion_step

select
    usage_step.line_id,
    usage_step.billing_period,
    usage_step.currency,
    usage_step.stage,
    usage_step.place,
    usage_step.what,
    usage_step.formula,
    usage_step.amount,
    usage_step.by_rule,
    usage_step.made_by
from usage_step

union all

select
    quota_step.line_id,
    quota_step.billing_period,
    quota_step.currency,
    quota_step.stage,
    quota_step.place,
    quota_step.what,
    quota_step.formula,
    quota_step.amount,
    quota_step.by_rule,
    quota_step.made_by
from quota_step

union all

select
    conversion_step.line_id,
    conversion_step.billing_period,
    conversion_step.currency,
    conversion_step.stage,
    conversion_step.place,
    conversion_step.what,
    conversion_step.formula,
    conversion_step.amount,
    conversion_step.by_rule,
    conversion_step.made_by
from conversion_step
