-- dimension_charge: what does a record cost by the rules on its fields?
--
-- grain:  landing_sequence, contract_item_id, part_number
-- reads:  record_detail, price, dimension_rule, usage_record
-- rule:   in each group of rules (largest flat + flat of the threshold a field
--         reaches) x product of the rates x quantity, + flat of the threshold
--         the quantity reaches; groups are added; a record that no flat rule
--         prices has no price
-- money:  unrounded, decimal(38, 12); null where a group has more than 20 digits
--         before the point

with matching as (
    select
        record_detail.landing_sequence,
        record_detail.contract_item_id,
        record_detail.part_number,
        record_detail.quantity,
        dimension_rule.rule_group,
        dimension_rule.field is null as is_service,
        dimension_rule.threshold is not null as is_threshold,
        dimension_rule.cost_type,
        dimension_rule.cost,
        row_number() over (
            partition by
                record_detail.landing_sequence,
                record_detail.contract_item_id,
                record_detail.part_number,
                dimension_rule.rule_group,
                dimension_rule.threshold is null,
                dimension_rule.field
            order by dimension_rule.threshold desc, dimension_rule.rule_number
        ) as threshold_place
    from price
    inner join dimension_rule
        on price.price_id = dimension_rule.price_id
    inner join record_detail
        on price.price_id = record_detail.price_id
    inner join usage_record
        on record_detail.landing_sequence = usage_record.landing_sequence
    where
        price.charge_model = 'dimension'
        and case
            when dimension_rule.threshold is null
                then dimension_rule.field is null
                    or dimension_rule.field_value is null
                    or field_is(
                        usage_record.fields,
                        dimension_rule.field,
                        dimension_rule.field_value
                    )
            when dimension_rule.field is null
                then record_detail.quantity >= dimension_rule.threshold
            else
                field_number(usage_record.fields, dimension_rule.field)
                >= dimension_rule.threshold
        end
),

grouped as (
    select
        matching.landing_sequence,
        matching.contract_item_id,
        matching.part_number,
        matching.quantity,
        matching.rule_group,
        bool_or(matching.cost_type = 'flat') as is_priced,
        coalesce(
            max(
                case
                    when
                        matching.cost_type = 'flat'
                        and not matching.is_threshold
                        then matching.cost
                end
            ),
            0
        )
        + coalesce(
            sum(
                case
                    when
                        matching.cost_type = 'flat'
                        and matching.is_threshold
                        and not matching.is_service
                        then matching.cost
                end
            ),
            0
        ) as flat_amount,
        try_list_product(
            array_agg(
                case
                    when matching.cost_type = 'rate' then matching.cost
                end
            )
        ) as rate,
        coalesce(
            sum(
                case
                    when
                        matching.cost_type = 'flat'
                        and matching.is_threshold
                        and matching.is_service
                        then matching.cost
                end
            ),
            0
        ) as once_amount
    from matching
    where not matching.is_threshold or matching.threshold_place = 1
    group by
        matching.landing_sequence,
        matching.contract_item_id,
        matching.part_number,
        matching.quantity,
        matching.rule_group
),

priced as (
    select
        grouped.landing_sequence,
        grouped.contract_item_id,
        grouped.part_number,
        grouped.quantity,
        grouped.is_priced,
        try_prorate(
            try_prorate(grouped.flat_amount, grouped.rate, 1),
            grouped.quantity,
            1
        )
        + grouped.once_amount as amount
    from grouped
)

select
    priced.landing_sequence,
    priced.contract_item_id,
    priced.part_number,
    bool_or(priced.is_priced) as is_priced,
    true as is_paid,
    priced.quantity as paid_quantity,
    case when count(*) = count(priced.amount) then sum(priced.amount) end
        as amount
from priced
group by
    priced.landing_sequence,
    priced.contract_item_id,
    priced.part_number,
    priced.quantity
