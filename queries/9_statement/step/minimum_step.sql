-- minimum_step: how does what is missing to a minimum come about, step by step?
--
-- grain:  line_id, stage
-- reads:  invoice_line, minimum_fee, price_modifier, currency
-- rule:   the minimum, less what counts against it: of a price, the lines of its
--         versions that have one in the cycle; of a contract, all its lines in the
--         cycle, or all of the customer in the billing period
-- money:  exact; rounded amounts of lines come off, or exact ones where the
--         currency rounds invoices

with minimum as (
    select
        invoice_line.line_id,
        invoice_line.billing_period,
        invoice_line.customer_id,
        invoice_line.contract_id,
        invoice_line.contract_item_id,
        invoice_line.cycle_start,
        invoice_line.amount_exact,
        invoice_line.currency,
        coalesce(currency.decimals, 2) as decimals,
        currency.rounding_level,
        coalesce(minimum_fee.scope, 'contract') as scope,
        case minimum_fee.proration
            when 'days' then ', for the days that it is in force'
            else ''
        end as proration_text
    from invoice_line
    left join minimum_fee
        on invoice_line.contract_item_id is null
        and invoice_line.contract_id = minimum_fee.contract_id
        and invoice_line.cycle_end > minimum_fee.valid_from
        and invoice_line.cycle_end
        <= coalesce(minimum_fee.valid_to, invoice_line.cycle_end)
    left join currency
        on invoice_line.currency = currency.currency
    where invoice_line.line_type = 'minimum_fee'
),

counted as (
    select
        minimum.line_id,
        sum(
            case minimum.rounding_level
                when 'invoice' then invoice_line.amount_exact
                else invoice_line.amount
            end
        ) as amount
    from minimum
    inner join invoice_line
        on minimum.customer_id = invoice_line.customer_id
        and minimum.currency = invoice_line.currency
    left join price_modifier
        on invoice_line.price_id = price_modifier.price_id
    where
        invoice_line.corrected_period is null
        and (
            (
                minimum.contract_item_id = invoice_line.contract_item_id
                and minimum.cycle_start = invoice_line.cycle_start
                and minimum.billing_period = invoice_line.billing_period
                and invoice_line.price_id is not null
                and (
                    price_modifier.minimum_amount > 0
                    or minimum.line_id = concat(
                        invoice_line.contract_item_id,
                        '/',
                        to_char(invoice_line.cycle_start, '%Y-%m-%dT%H:%M'),
                        '/',
                        invoice_line.price_id,
                        '/minimum'
                    )
                )
            )
            or (
                minimum.contract_item_id is null
                and invoice_line.contract_item_id is not null
                and case minimum.scope
                    when 'customer'
                        then minimum.billing_period = invoice_line.billing_period
                    else
                        minimum.contract_id = invoice_line.contract_id
                        and minimum.cycle_start = invoice_line.cycle_start
                end
            )
        )
    group by minimum.line_id
)

select
    minimum.line_id,
    minimum.billing_period,
    minimum.currency,
    1 as stage,
    0 as place,
    'minimum' as what,
    concat(
        number_text(
            minimum.amount_exact + coalesce(counted.amount, 0),
            minimum.decimals
        ),
        minimum.proration_text
    ) as formula,
    minimum.amount_exact + coalesce(counted.amount, 0) as amount,
    case
        when minimum.contract_item_id is null
            then concat('minimum fee of ', minimum.contract_id)
        else concat('minimum of the price of ', minimum.contract_item_id)
    end as by_rule,
    case
        when minimum.contract_item_id is null then 'minimum_line'
        else 'price_minimum'
    end as made_by
from minimum
left join counted
    on minimum.line_id = counted.line_id

union all

select
    minimum.line_id,
    minimum.billing_period,
    minimum.currency,
    2 as stage,
    0 as place,
    'reached' as what,
    concat(
        'less ',
        number_text(counted.amount, minimum.decimals),
        ', the lines of ',
        case
            when minimum.contract_item_id is not null then 'the price'
            when minimum.scope = 'customer' then 'the customer'
            else 'the contract'
        end
    ) as formula,
    -counted.amount as amount,
    concat('in ', minimum.billing_period) as by_rule,
    'minimum_line' as made_by
from minimum
inner join counted
    on minimum.line_id = counted.line_id
