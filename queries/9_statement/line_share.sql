-- line_share: what share of a line does each record behind it bear?
--
-- grain:  line_id, landing_sequence, part_number
-- reads:  priced_usage, record_detail, record_charge, invoice_line, closed_period
-- rule:   a line's amount is spread over its usage, in order of time, by
--         quantity, or by what each record costs by itself; period and customer
--         are in each key, so that the shares of some are made without the others
-- money:  each share is the rounded total so far less the one before, so that
--         the shares sum to the line; where the total so far has more than 20
--         digits before the point, as usage may that is then taken back, it is zero

with weighted as (
    select
        invoice_line.line_id,
        invoice_line.customer_id,
        invoice_line.contract_id,
        invoice_line.contract_item_id,
        invoice_line.unit,
        invoice_line.currency,
        invoice_line.billing_period,
        priced_usage.landing_sequence,
        priced_usage.part_number,
        priced_usage.usage_start,
        priced_usage.part_end,
        priced_usage.quantity,
        coalesce(
            record_charge.amount,
            priced_usage.record_amount,
            priced_usage.quantity
        ) as weight,
        invoice_line.amount as line_amount
    from priced_usage
    left join record_detail
        on priced_usage.landing_sequence = record_detail.landing_sequence
        and priced_usage.contract_item_id = record_detail.contract_item_id
        and priced_usage.part_number = record_detail.part_number
        and priced_usage.billing_period = record_detail.billing_period
    left join record_charge
        on priced_usage.landing_sequence = record_charge.landing_sequence
        and priced_usage.contract_item_id = record_charge.contract_item_id
        and priced_usage.part_number = record_charge.part_number
        and priced_usage.billing_period = record_charge.billing_period
    inner join invoice_line
        on priced_usage.contract_item_id = invoice_line.contract_item_id
        and priced_usage.cycle_start = invoice_line.cycle_start
        and priced_usage.price_id = invoice_line.price_id
        and coalesce(record_detail.group_key, '') = invoice_line.group_key
        and priced_usage.billing_period = invoice_line.billing_period
        and invoice_line.corrected_period is null
    where not exists (
        select 1
        from closed_period
        where closed_period.billing_period = invoice_line.billing_period
    )
),

running as (
    select
        weighted.*,
        row_number() over in_time_order as row_in_line,
        sum(weighted.weight) over in_time_order as weight_until,
        sum(weighted.weight) over (
            partition by
                weighted.line_id,
                weighted.billing_period,
                weighted.customer_id
        ) as line_weight
    from weighted
    window in_time_order as (
        partition by
            weighted.line_id,
            weighted.billing_period,
            weighted.customer_id
        order by
            weighted.usage_start,
            weighted.landing_sequence,
            weighted.part_number
        rows between unbounded preceding and current row
    )
)

select
    running.line_id,
    running.customer_id,
    running.contract_id,
    running.contract_item_id,
    running.unit,
    running.currency,
    running.billing_period,
    running.landing_sequence,
    running.part_number,
    running.usage_start,
    running.part_end,
    running.quantity,
    case
        when running.line_weight <> 0
            then coalesce(
                try_prorate(
                    running.line_amount,
                    running.weight_until,
                    running.line_weight
                ),
                0
            )
            - coalesce(
                try_prorate(
                    running.line_amount,
                    running.weight_until - running.weight,
                    running.line_weight
                ),
                0
            )
        when running.row_in_line = 1 then running.line_amount
        else 0
    end as amount
from running
