-- agreement: what trips cost, and how many cost what the operator's rule says
with trip as (
    select
        usage_statement.line_id,
        usage_statement.amount,
        cast(usage_record.quantity as bigint) as seconds
    from usage_statement
    inner join usage_record
        on usage_statement.landing_sequence = usage_record.landing_sequence
),

by_rule as (
    select
        trip.line_id,
        trip.amount,
        case
            when trip.seconds <= 1800 then 0
            when trip.seconds <= 3600 then 4
            else least(
                150,
                4 + 7 * cast((trip.seconds - 3600 + 1799) / 1800 as bigint)
            )
        end as amount_by_rule
    from trip
)

select
    invoice_line.contract_id as plan,
    count(*) as trips,
    sum(case when by_rule.amount > 0 then 1 else 0 end) as with_overtime,
    sum(case when by_rule.amount = 150 then 1 else 0 end) as at_the_limit,
    sum(by_rule.amount) as amount,
    sum(by_rule.amount_by_rule) as amount_by_rule,
    cast(
        cast(
            100 * sum(
                case
                    when by_rule.amount = by_rule.amount_by_rule then 1
                    else 0
                end
            ) as decimal(38, 12)
        ) / count(*) as decimal(9, 3)
    ) as percent_that_agrees
from by_rule
inner join invoice_line
    on by_rule.line_id = invoice_line.line_id
group by invoice_line.contract_id
order by invoice_line.contract_id
