-- reopened_line: which billed lines may belong to another period now, since a person
-- let theirs be rated again by other rules?
--
-- grain:  line_id
-- reads:  billed_line, rerating

select
    billed_line.line_id,
    billed_line.billing_period
from billed_line
where
    billed_line.corrected_period is null
    and exists (
        select 1
        from rerating
        where rerating.billing_period = billed_line.billing_period
    )
