-- unpriced_record: which usage is priced record by record, and by no rule or rate?
--
-- grain:  landing_sequence, contract_item_id, part_number, suspense_reason
-- reads:  price, contract_item, contract, guided_usage, usage_record,
--         dimension_rule, session_rate, rate_schedule
-- rule:   a dimension price needs a flat rule that the record fits, a session a
--         length that is not negative and a rate in force wherever a step begins;
--         what stands in closed books does not wait

with asking as (
    select
        price.product_id,
        price.price_id,
        price.charge_model,
        price.valid_from,
        price.valid_to
    from price
    where price.charge_model in ('dimension', 'time_of_use')
),

record as (
    select
        guided_usage.landing_sequence,
        guided_usage.contract_item_id,
        guided_usage.part_number,
        asking.product_id,
        asking.price_id,
        asking.charge_model,
        contract.time_zone,
        case
            when guided_usage.part_end is null then usage_record.usage_start
            else guided_usage.usage_start
        end as session_start,
        guided_usage.quantity,
        usage_record.fields
    from asking
    inner join contract_item
        on asking.product_id = contract_item.product_id
        and contract_item.unpriced_usage = 'suspend'
    inner join contract
        on contract_item.contract_id = contract.contract_id
    inner join guided_usage
        on contract_item.contract_item_id = guided_usage.contract_item_id
        and (
            guided_usage.usage_start >= asking.valid_from
            or guided_usage.part_end > asking.valid_from
        )
        and (
            asking.valid_to is null
            or guided_usage.usage_start < asking.valid_to
        )
    inner join usage_record
        on guided_usage.landing_sequence = usage_record.landing_sequence
    where not guided_usage.is_closed
),

schedule as (
    select
        session_rate.price_id,
        rate_schedule.splits_windows,
        min(session_rate.increment_quantity) as shortest_increment,
        array_agg(
            {
                'window_number': session_rate.window_number,
                'weekdays': string_to_array(session_rate.weekdays, ','),
                'months': string_to_array(session_rate.months, ','),
                'month_days': string_to_array(session_rate.month_days, ','),
                'start_time': cast(session_rate.start_time as time),
                'rate_number': session_rate.step_number,
                'elapsed_from': session_rate.elapsed_from,
                'increment': session_rate.increment_quantity
            }
            order by session_rate.place
        ) as rates
    from session_rate
    inner join rate_schedule
        on session_rate.price_id = rate_schedule.price_id
    group by
        session_rate.price_id,
        rate_schedule.splits_windows
)

select
    record.landing_sequence,
    record.contract_item_id,
    record.part_number,
    record.quantity,
    concat('no rule with a flat cost of ', record.product_id, ' fits')
        as suspense_reason
from record
where
    record.charge_model = 'dimension'
    and not exists (
        select 1
        from dimension_rule
        where
            dimension_rule.price_id = record.price_id
            and dimension_rule.cost_type = 'flat'
            and case
                when dimension_rule.threshold is null
                    then dimension_rule.field is null
                        or dimension_rule.field_value is null
                        or field_is(
                            record.fields,
                            dimension_rule.field,
                            dimension_rule.field_value
                        )
                when dimension_rule.field is null
                    then record.quantity >= dimension_rule.threshold
                else
                    field_number(record.fields, dimension_rule.field)
                    >= dimension_rule.threshold
            end
    )

union all

select
    record.landing_sequence,
    record.contract_item_id,
    record.part_number,
    record.quantity,
    case
        when record.quantity < 0
            then concat('a length below zero of ', record.product_id)
        when record.quantity / 1000000 >= schedule.shortest_increment
            then concat('more than a million steps of ', record.product_id)
        else concat('no rate in force for ', record.product_id)
    end as suspense_reason
from record
left join schedule
    on record.price_id = schedule.price_id
where
    record.charge_model = 'time_of_use'
    and record.quantity <> 0
    and (
        record.quantity < 0
        or schedule.rates is null
        or session_steps(
            record.session_start,
            record.quantity,
            record.time_zone,
            schedule.rates,
            case
                when schedule.splits_windows then null
                else record.session_start
            end
        ) is null
    )
