-- line_step: how does a line come to its amount, step by step?
--
-- grain:  line_id, step_number
-- reads:  quantity_step, charge_step, minimum_step, correction_step, invoice_step,
--         credit_step, rounding_step
-- rule:   the amounts of the steps sum to the line; `explain` shows them
-- money:  the last step rounds as the currency declares

with step as (
    select
        quantity_step.line_id,
        quantity_step.billing_period,
        quantity_step.currency,
        quantity_step.stage,
        quantity_step.place,
        quantity_step.what,
        quantity_step.formula,
        quantity_step.amount,
        quantity_step.by_rule,
        quantity_step.made_by
    from quantity_step

    union all

    select
        charge_step.line_id,
        charge_step.billing_period,
        charge_step.currency,
        charge_step.stage,
        charge_step.place,
        charge_step.what,
        charge_step.formula,
        charge_step.amount,
        charge_step.by_rule,
        charge_step.made_by
    from charge_step

    union all

    select
        minimum_step.line_id,
        minimum_step.billing_period,
        minimum_step.currency,
        minimum_step.stage,
        minimum_step.place,
        minimum_step.what,
        minimum_step.formula,
        minimum_step.amount,
        minimum_step.by_rule,
        minimum_step.made_by
    from minimum_step

    union all

    select
        correction_step.line_id,
        correction_step.billing_period,
        correction_step.currency,
        correction_step.stage,
        correction_step.place,
        correction_step.what,
        correction_step.formula,
        correction_step.amount,
        correction_step.by_rule,
        correction_step.made_by
    from correction_step

    union all

    select
        invoice_step.line_id,
        invoice_step.billing_period,
        invoice_step.currency,
        invoice_step.stage,
        invoice_step.place,
        invoice_step.what,
        invoice_step.formula,
        invoice_step.amount,
        invoice_step.by_rule,
        invoice_step.made_by
    from invoice_step

    union all

    select
        credit_step.line_id,
        credit_step.billing_period,
        credit_step.currency,
        credit_step.stage,
        credit_step.place,
        credit_step.what,
        credit_step.formula,
        credit_step.amount,
        credit_step.by_rule,
        credit_step.made_by
    from credit_step

    union all

    select
        rounding_step.line_id,
        rounding_step.billing_period,
        rounding_step.currency,
        rounding_step.stage,
        rounding_step.place,
        rounding_step.what,
        rounding_step.formula,
        rounding_step.amount,
        rounding_step.by_rule,
        rounding_step.made_by
    from rounding_step
)

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
