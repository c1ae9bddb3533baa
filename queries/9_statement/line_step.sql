-- line_step: how does a line come to its amount, step by step?
--
-- grain:  line_id, step_number
-- reads:  step
-- rule:   each kind of step has a query in `step`; the amounts of the steps sum to
--         the line; `explain` shows them
-- money:  the last step rounds as the currency declares

select
    step.line_id,
    row_number() over in_order as step_number,
    step.what,
    step.formula,
    cast(step.amount as decimal(38, 12)) as amount,
    sum(cast(step.amount as decimal(38, 12))) over in_order as amount_so_far,
    step.by_rule,
    step.made_by,
    step.currency,
    step.billing_period
from step
window in_order as (
    partition by step.line_id
    order by step.stage, step.place, step.what desc, step.by_rule
    rows between unbounded preceding and current row
)
