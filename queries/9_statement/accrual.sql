-- accrual: what is earned of each line so far, and what of it is billed?
--
-- grain:  line_id
-- reads:  invoice_line, closed_period, priced_cycle, price, price_minimum,
--         minimum_line, currency
-- rule:   as of $as_of, all lines that are not both billed and earned in full.
--         billed: the line, where its period is closed, else nothing.
--         earned: a fee, line x time elapsed / time that it is for, also where it
--         corrects another; what is missing to a minimum, as far as the minimum x
--         time elapsed / time is not reached; all else is earned as it is used.
--         deferred (a liability): billed - earned, of a line that is billed;
--         accrued (an asset): earned, of a line that is not billed.
--         So billed + accrued = earned + deferred
-- money:  earned is rounded once, as the currency declares

with fee_time as (
    select
        priced_cycle.contract_item_id,
        priced_cycle.cycle_start,
        priced_cycle.price_id,
        priced_cycle.charge_from,
        case price.proration
            when 'none'
                then max(priced_cycle.charge_to) over (
                    partition by
                        priced_cycle.contract_item_id, priced_cycle.cycle_start
                )
            else priced_cycle.charge_to
        end as charge_to
    from priced_cycle
    inner join price
        on priced_cycle.price_id = price.price_id
    where price.charge_model = 'flat'
),

line as (
    select
        invoice_line.line_id,
        invoice_line.customer_id,
        invoice_line.contract_id,
        invoice_line.contract_item_id,
        invoice_line.line_type,
        case
            when fee_time.charge_from is not null then fee_time.charge_from
            when invoice_line.line_type in ('fee', 'minimum_fee')
                then invoice_line.cycle_start
        end as earned_from,
        case
            when fee_time.charge_to is not null then fee_time.charge_to
            when invoice_line.line_type in ('fee', 'minimum_fee')
                then invoice_line.cycle_end
        end as earned_until,
        invoice_line.cycle_end,
        closed_period.billing_period is not null as is_billed,
        coalesce(
            minimum_line.minimum_amount,
            price_minimum.minimum_amount,
            invoice_line.amount
        ) as whole_amount,
        invoice_line.amount,
        invoice_line.currency,
        invoice_line.billing_period
    from invoice_line
    left join closed_period
        on invoice_line.billing_period = closed_period.billing_period
    left join fee_time
        on invoice_line.contract_item_id = fee_time.contract_item_id
        and invoice_line.cycle_start = fee_time.cycle_start
        and invoice_line.price_id = fee_time.price_id
    left join minimum_line
        on invoice_line.line_id = minimum_line.line_id
    left join price_minimum
        on invoice_line.line_id = price_minimum.line_id
),

timed as (
    select
        line.*,
        coalesce(line.cycle_end > $as_of, false) as is_unfinished,
        case
            when line.earned_from is null then cast(0 as bigint)
            else
                greatest(
                    cast(line.earned_until as bigint)
                    - greatest(
                        cast($as_of as bigint), cast(line.earned_from as bigint)
                    ),
                    0
                )
        end as time_left,
        coalesce(
            cast(line.earned_until as bigint) - cast(line.earned_from as bigint),
            1
        ) as time_whole
    from line
),

earned as (
    select
        timed.*,
        case
            when timed.time_left = 0 then timed.amount
            when timed.line_type = 'minimum_fee'
                then greatest(
                    timed.amount
                    - round_ratio(
                        timed.whole_amount,
                        timed.time_left,
                        timed.time_whole,
                        currency.decimals,
                        currency.rounding
                    ),
                    0
                )
            else
                timed.amount
                - round_ratio(
                    timed.amount,
                    timed.time_left,
                    timed.time_whole,
                    currency.decimals,
                    currency.rounding
                )
        end as earned_amount
    from timed
    inner join currency
        on timed.currency = currency.currency
)

select
    earned.line_id,
    earned.customer_id,
    earned.contract_id,
    earned.contract_item_id,
    earned.line_type,
    earned.is_unfinished,
    earned.amount,
    case when earned.is_billed then earned.amount else 0 end as billed_amount,
    earned.earned_amount,
    case
        when earned.is_billed then earned.amount - earned.earned_amount
        else 0
    end as deferred_amount,
    case when earned.is_billed then 0 else earned.earned_amount end
        as accrued_amount,
    earned.currency,
    earned.billing_period
from earned
where not earned.is_billed or earned.earned_amount <> earned.amount
