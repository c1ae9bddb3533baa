-- shown_usage: the usage behind each line, as its customer sees it.
--
-- grain:  line_id, landing_sequence, part_number
-- reads:  usage_statement, invoice_line, contract, contract_item
-- rule:   where an item shows overage only, usage counts against the quota in
--         order of time, and what goes beyond is shown and bears the amount
-- money:  each share is the rounded total so far less the one before; a total of
--         more than 20 digits before the point is zero, as in usage_statement

with shown as (
    select
        usage_statement.line_id,
        usage_statement.billing_period,
        usage_statement.landing_sequence,
        usage_statement.part_number,
        usage_statement.usage_start,
        usage_statement.usage_end,
        usage_statement.source,
        usage_statement.transaction_id,
        usage_statement.usage_type,
        usage_statement.quantity,
        usage_statement.amount,
        usage_statement.customer_id,
        invoice_line.included_quantity,
        invoice_line.billable_quantity,
        invoice_line.amount as line_amount,
        invoice_line.unit,
        invoice_line.currency,
        invoice_line.description,
        invoice_line.record_count,
        invoice_line.contract_item_id,
        coalesce(contract.time_zone, 'UTC') as time_zone,
        coalesce(contract_item.usage_shown, 'full') = 'overage'
        and invoice_line.included_quantity <> 0 as is_overage_only
    from usage_statement
    inner join invoice_line
        on usage_statement.line_id = invoice_line.line_id
        and usage_statement.billing_period = invoice_line.billing_period
        and usage_statement.customer_id = invoice_line.customer_id
    left join contract
        on invoice_line.contract_id = contract.contract_id
    left join contract_item
        on invoice_line.contract_item_id = contract_item.contract_item_id
),

running as (
    select
        shown.*,
        greatest(shown.included_quantity, 0) as included_most,
        least(shown.included_quantity, 0) as included_least,
        row_number() over in_time_order as row_in_line,
        sum(shown.quantity) over in_time_order as quantity_until
    from shown
    window in_time_order as (
        partition by shown.line_id, shown.billing_period, shown.customer_id
        order by
            shown.usage_start,
            shown.landing_sequence,
            shown.part_number
        rows between unbounded preceding and current row
    )
),

-- beyond the quota, until the row and before it
beyond as (
    select
        running.*,
        running.quantity_until
        - greatest(
            least(running.quantity_until, running.included_most),
            running.included_least
        ) as overage_until,
        running.quantity_until - running.quantity
        - greatest(
            least(
                running.quantity_until - running.quantity,
                running.included_most
            ),
            running.included_least
        ) as overage_before
    from running
),

priced as (
    select
        beyond.* except (quantity, amount),
        case
            when beyond.is_overage_only
                then beyond.overage_until - beyond.overage_before
            else beyond.quantity
        end as quantity,
        case
            when not beyond.is_overage_only then beyond.amount
            when beyond.billable_quantity <> 0
                then coalesce(
                    try_prorate(
                        beyond.line_amount,
                        beyond.overage_until,
                        beyond.billable_quantity
                    ),
                    0
                )
                - coalesce(
                    try_prorate(
                        beyond.line_amount,
                        beyond.overage_before,
                        beyond.billable_quantity
                    ),
                    0
                )
            when beyond.row_in_line = 1 then beyond.line_amount
            else 0
        end as amount
    from beyond
)

select
    priced.customer_id,
    priced.billing_period,
    priced.line_id,
    priced.landing_sequence,
    priced.part_number,
    priced.usage_start,
    priced.usage_end,
    priced.source,
    priced.transaction_id,
    local_time(priced.usage_start, priced.time_zone) as local_start,
    priced.usage_type,
    priced.description,
    cast(priced.quantity as decimal(38, 12)) as quantity,
    priced.unit,
    cast(priced.amount as decimal(38, 12)) as amount,
    priced.currency,
    priced.record_count,
    priced.contract_item_id
from priced
where
    not priced.is_overage_only
    or priced.quantity <> 0
    or priced.amount <> 0
