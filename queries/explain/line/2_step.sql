-- step: how it comes to its amount, and the sum so far
select
    line_step.step_number as step,
    line_step.what,
    line_step.formula,
    line_step.amount,
    line_step.amount_so_far as so_far,
    line_step.by_rule as because_of,
    line_step.made_by
from line_step
where line_step.line_id = $line_id
order by line_step.step_number
