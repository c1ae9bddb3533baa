-- item_line: the charges of an item, cycle and price as one line.
--
-- grain:  line_id
-- reads:  priced_cycle, contract_item, metered_usage, billable_usage, price,
--         charge, currency, reopened_line
-- rule:   an item without usage and without an amount has no line; one that has
--         moved from a closed period has the new one in its id
-- money:  rounded here and nowhere else, as the currency declares

with charged as (
    select
        charge.contract_item_id,
        charge.cycle_start,
        charge.price_id,
        charge.group_key,
        sum(charge.amount) as amount_exact
    from charge
    group by
        charge.contract_item_id,
        charge.cycle_start,
        charge.price_id,
        charge.group_key
),

line as (
    select
        concat(
            priced_cycle.contract_item_id,
            '/',
            to_char(priced_cycle.cycle_start, '%Y-%m-%dT%H:%M'),
            '/',
            priced_cycle.price_id,
            case when metered_usage.group_key <> '' then '/' else '' end,
            metered_usage.group_key
        ) as line_id,
        priced_cycle.customer_id,
        priced_cycle.contract_id,
        priced_cycle.contract_item_id,
        priced_cycle.cycle_start,
        priced_cycle.cycle_end,
        priced_cycle.price_id,
        metered_usage.group_key,
        case
            when price.charge_model = 'flat' then 'fee'
            when priced_cycle.quota_id is not null then 'overage'
            else 'usage'
        end as line_type,
        contract_item.description,
        metered_usage.record_count,
        billable_usage.quantity,
        billable_usage.included_quantity,
        billable_usage.billable_quantity,
        contract_item.unit,
        coalesce(charged.amount_exact, 0) as amount_exact,
        round_money(
            coalesce(charged.amount_exact, 0),
            currency.decimals,
            currency.rounding
        ) as amount,
        currency.rounding_level,
        priced_cycle.currency,
        priced_cycle.billing_period
    from priced_cycle
    inner join contract_item
        on priced_cycle.contract_item_id = contract_item.contract_item_id
    inner join metered_usage
        on priced_cycle.contract_item_id = metered_usage.contract_item_id
        and priced_cycle.cycle_start = metered_usage.cycle_start
        and priced_cycle.price_id = metered_usage.price_id
    inner join billable_usage
        on priced_cycle.contract_item_id = billable_usage.contract_item_id
        and priced_cycle.cycle_start = billable_usage.cycle_start
        and priced_cycle.price_id = billable_usage.price_id
        and metered_usage.group_key = billable_usage.group_key
    left join price
        on priced_cycle.price_id = price.price_id
    left join charged
        on priced_cycle.contract_item_id = charged.contract_item_id
        and priced_cycle.cycle_start = charged.cycle_start
        and priced_cycle.price_id = charged.price_id
        and metered_usage.group_key = charged.group_key
    left join currency
        on priced_cycle.currency = currency.currency
    where
        metered_usage.record_count > 0
        or coalesce(charged.amount_exact, 0) <> 0
)

select
    case
        when reopened_line.billing_period <> line.billing_period
            then concat(line.line_id, '/', line.billing_period)
        else line.line_id
    end as line_id,
    line.customer_id,
    line.contract_id,
    line.contract_item_id,
    line.cycle_start,
    line.cycle_end,
    line.price_id,
    line.group_key,
    line.line_type,
    line.description,
    line.record_count,
    line.quantity,
    line.included_quantity,
    line.billable_quantity,
    line.unit,
    line.amount_exact,
    line.amount,
    case line.rounding_level
        when 'invoice' then line.amount_exact
        else line.amount
    end as counted_amount,
    line.currency,
    line.billing_period
from line
left join reopened_line
    on line.line_id = reopened_line.line_id
