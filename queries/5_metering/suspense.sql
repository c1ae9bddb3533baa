-- suspense: which usage can be neither guided nor rated, and why?
--
-- grain:  landing_sequence
-- reads:  usage_record, guided_usage, guiding, price_gap, late_usage,
--         closed_period, unpriced_group, unpriced_record, contract_item, contract
-- rule:   if one part of a record cannot be placed or has at some time no price,
--         the whole record waits; what stands in closed books does not; of several
--         reasons the first by name is given, with the item that it is of

with waiting as (
    select
        guiding.landing_sequence,
        guiding.contract_item_id,
        guiding.contract_id,
        guiding.quantity,
        guiding.suspense_reason
    from guiding
    where guiding.suspense_reason is not null

    union all

    select
        late_usage.landing_sequence,
        late_usage.contract_item_id,
        cast(null as varchar) as contract_id,
        late_usage.quantity,
        late_usage.suspense_reason
    from late_usage
    where late_usage.suspense_reason is not null

    union all

    select
        guided_usage.landing_sequence,
        guided_usage.contract_item_id,
        cast(null as varchar) as contract_id,
        guided_usage.quantity,
        concat('no price in force for ', guided_usage.product_id)
            as suspense_reason
    from guided_usage
    inner join price_gap
        on guided_usage.contract_item_id = price_gap.contract_item_id
        and (
            price_gap.gap_from is null
            or guided_usage.usage_start >= price_gap.gap_from
            or guided_usage.part_end > price_gap.gap_from
        )
        and (
            price_gap.gap_to is null
            or guided_usage.usage_start < price_gap.gap_to
        )
    where not exists (
        select 1
        from closed_period
        where closed_period.billing_period = guided_usage.billing_period
    )

    union all

    select
        unpriced_group.landing_sequence,
        unpriced_group.contract_item_id,
        cast(null as varchar) as contract_id,
        unpriced_group.quantity,
        unpriced_group.suspense_reason
    from unpriced_group

    union all

    select
        unpriced_record.landing_sequence,
        unpriced_record.contract_item_id,
        cast(null as varchar) as contract_id,
        unpriced_record.quantity,
        unpriced_record.suspense_reason
    from unpriced_record
),

in_order as (
    select
        waiting.landing_sequence,
        waiting.contract_item_id,
        waiting.contract_id,
        waiting.quantity,
        waiting.suspense_reason,
        row_number() over (
            partition by waiting.landing_sequence
            order by
                waiting.suspense_reason,
                waiting.contract_item_id,
                waiting.quantity
        ) as place
    from waiting
)

select
    usage_record.landing_sequence,
    contract.customer_id,
    contract.contract_id,
    contract_item.contract_item_id,
    contract_item.product_id,
    usage_record.source,
    usage_record.transaction_id,
    usage_record.usage_type,
    usage_record.usage_start,
    coalesce(usage_record.unit, '') as unit,
    coalesce(usage_record.quantity, 0) as record_quantity,
    in_order.quantity,
    in_order.suspense_reason
from in_order
inner join usage_record
    on in_order.landing_sequence = usage_record.landing_sequence
left join contract_item
    on in_order.contract_item_id = contract_item.contract_item_id
left join contract
    on coalesce(contract_item.contract_id, in_order.contract_id)
    = contract.contract_id
where in_order.place = 1
