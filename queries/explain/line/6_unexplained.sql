-- unexplained: what the steps leave unexplained
--
-- Nothing, unless what a closed period was rated by is not kept: the books have
-- its usage, quotas and charges, not its credits.
with explained as (
    select
        line_step.line_id,
        sum(line_step.amount) as amount
    from line_step
    where line_step.line_id = $line_id
    group by line_step.line_id
)

select
    invoice_line.amount - coalesce(explained.amount, 0) as unexplained,
    invoice_line.currency
from invoice_line
left join explained
    on invoice_line.line_id = explained.line_id
where
    invoice_line.line_id = $line_id
    and invoice_line.amount <> coalesce(explained.amount, 0)
