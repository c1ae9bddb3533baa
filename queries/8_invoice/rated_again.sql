-- rated_again: why are the lines of a closed period rated again?
--
-- grain:  billing_period, with a row for each reason
-- reads:  period_change, rerating, rerated_line

select period_change.billing_period
from period_change

union all

select rerating.billing_period
from rerating

union all

-- Also what only carried on from an earlier one.
select rerated_line.billing_period
from rerated_line
