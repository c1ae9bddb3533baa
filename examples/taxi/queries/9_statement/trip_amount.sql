-- trip_amount: what does a trip cost by the tariff, and what did the cab take?
--
-- grain:  landing_sequence
-- reads:  usage_statement, invoice_line, contract_item, tariff_item,
--         usage_record
-- rule:   a metered fare lies between one step below the dearer of distance
--         and time, and both together; from 2019-02-01 vendor 1 books the
--         congestion surcharge within `extra`, too, where it is taken out
-- money:  only compared, never charged

with part_amount as (
    select
        usage_statement.landing_sequence,
        tariff_item.part,
        tariff_item.block_quantity is not null as is_metered,
        usage_statement.amount
    from usage_statement
    inner join invoice_line
        on usage_statement.line_id = invoice_line.line_id
    inner join contract_item
        on invoice_line.contract_item_id = contract_item.contract_item_id
    inner join tariff_item
        on contract_item.usage_type = tariff_item.usage_type
        and contract_item.product_id = tariff_item.product_id
),

computed as (
    select
        part_amount.landing_sequence,
        bool_or(part_amount.is_metered) as is_metered,
        sum(
            case part_amount.part when 'fare' then part_amount.amount else 0 end
        ) as fare,
        sum(
            case part_amount.part when 'extra' then part_amount.amount else 0 end
        ) as extra,
        sum(
            case part_amount.part
                when 'state_tax' then part_amount.amount
                else 0
            end
        ) as state_tax,
        sum(
            case part_amount.part
                when 'improvement' then part_amount.amount
                else 0
            end
        ) as improvement,
        sum(
            case part_amount.part
                when 'congestion' then part_amount.amount
                else 0
            end
        ) as congestion
    from part_amount
    group by part_amount.landing_sequence
),

taken as (
    select
        usage_record.landing_sequence,
        usage_record.usage_type,
        usage_record.account_id as vendor_id,
        usage_record.usage_start,
        cast(
            ceil(5 * usage_record.quantity)
            + ceil(
                (
                    cast(usage_record.usage_end as bigint)
                    - cast(usage_record.usage_start as bigint)
                ) / cast(60000000 as decimal(8, 0))
            ) as decimal(12, 0)
        ) as steps,
        json_decimal(usage_record.attributes, 'true_fare') as fare,
        json_decimal(usage_record.attributes, 'true_extra') as extra,
        json_decimal(usage_record.attributes, 'true_state_tax') as state_tax,
        json_decimal(usage_record.attributes, 'true_improvement') as improvement,
        coalesce(json_decimal(usage_record.attributes, 'true_congestion'), 0)
            as congestion
    from usage_record
)

select
    computed.landing_sequence,
    taken.usage_type,
    taken.vendor_id,
    taken.usage_start,
    computed.fare,
    case
        when computed.is_metered then computed.fare - 0.50
        else computed.fare
    end as fare_from,
    case
        when taken.usage_type = 'trip/newark'
            then 20 + cast(0.50 * taken.steps as decimal(38, 12))
        when computed.is_metered
            then 2.50 + cast(0.50 * taken.steps as decimal(38, 12))
        else computed.fare
    end as fare_to,
    computed.extra,
    computed.state_tax,
    computed.improvement,
    computed.congestion,
    taken.fare as true_fare,
    case
        when
            taken.vendor_id = '1'
            and taken.usage_start >= '2019-02-01T05:00:00Z'
            then taken.extra - taken.congestion
        else taken.extra
    end as true_extra,
    taken.state_tax as true_state_tax,
    taken.improvement as true_improvement,
    taken.congestion as true_congestion
from computed
inner join taken
    on computed.landing_sequence = taken.landing_sequence
