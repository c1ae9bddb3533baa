-- daily_usage: what an item metered on each day of a cycle, for a chart.
--
-- grain:  chart_id, usage_day
-- reads:  usage_statement, invoice_line, contract, contract_item
-- rule:   days are those of the contract's time zone; an item that shows
--         overage only has no chart

with daily as (
    select
        invoice_line.customer_id,
        invoice_line.billing_period,
        invoice_line.contract_item_id,
        invoice_line.cycle_start,
        local_date(usage_statement.usage_start, contract.time_zone)
            as usage_day,
        min(invoice_line.contract_id) as contract_id,
        min(invoice_line.description) as description,
        min(invoice_line.unit) as unit,
        min(local_date(invoice_line.cycle_start, contract.time_zone))
            as first_day,
        max(
            local_date(
                invoice_line.cycle_end - interval '1 microsecond',
                contract.time_zone
            )
        ) as last_day,
        sum(usage_statement.quantity) as quantity
    from usage_statement
    inner join invoice_line
        on usage_statement.line_id = invoice_line.line_id
        and usage_statement.billing_period = invoice_line.billing_period
        and usage_statement.customer_id = invoice_line.customer_id
    inner join contract
        on invoice_line.contract_id = contract.contract_id
    inner join contract_item
        on invoice_line.contract_item_id = contract_item.contract_item_id
    where
        usage_statement.landing_sequence is not null
        and contract_item.usage_shown = 'full'
    group by
        invoice_line.customer_id,
        invoice_line.billing_period,
        invoice_line.contract_item_id,
        invoice_line.cycle_start,
        local_date(usage_statement.usage_start, contract.time_zone)
),

scaled as (
    select
        daily.customer_id,
        daily.billing_period,
        daily.contract_item_id,
        daily.cycle_start,
        daily.usage_day,
        daily.contract_id,
        daily.description,
        daily.unit,
        daily.first_day,
        daily.last_day,
        daily.quantity,
        max(daily.quantity) over (
            partition by
                daily.customer_id,
                daily.contract_item_id,
                daily.cycle_start,
                daily.billing_period
        ) as most_quantity
    from daily
)

select
    scaled.customer_id,
    scaled.billing_period,
    concat(
        scaled.contract_item_id,
        '/',
        to_char(scaled.cycle_start, '%Y-%m-%dT%H:%M')
    ) as chart_id,
    scaled.usage_day,
    scaled.contract_id,
    scaled.description,
    scaled.unit,
    scaled.first_day,
    scaled.last_day,
    cast(scaled.usage_day as integer) - cast(scaled.first_day as integer)
        as day_number,
    cast(scaled.last_day as integer) - cast(scaled.first_day as integer) + 1
        as days,
    scaled.quantity,
    scaled.most_quantity,
    case
        when scaled.quantity <= 0 then 0
        else greatest(
            cast(
                prorate(100, scaled.quantity, scaled.most_quantity) as integer
            ),
            1 -- little is more than nothing
        )
    end as height_percent
from scaled
