-- contract_item: each account is charged for every usage type of the tariff.
--
-- grain:  contract_item_id
-- reads:  contract, tariff, reservation, quota_rule
-- rule:   free tiers are pooled over both accounts; the dearest usage draws
--         first, which is the publisher's order, and between accounts with the
--         same rate the lower account number, which is ours: the sum is the
--         publisher's, the split between accounts is a choice

with chargeable as (
    select
        tariff.usage_type,
        max(tariff.unit_amount) as unit_amount,
        bool_or(tariff.unit_amount is null) as is_priced_on_record
    from tariff
    group by tariff.usage_type

    union all

    select
        concat('reservation fee/', reservation.reservation_id) as usage_type,
        reservation.hourly_fee as unit_amount,
        false as is_priced_on_record
    from reservation

    union all

    select
        concat('reserved usage/', reservation.reservation_id) as usage_type,
        cast(0 as decimal(38, 12)) as unit_amount,
        false as is_priced_on_record
    from reservation
),

ranked as (
    select
        chargeable.usage_type,
        chargeable.is_priced_on_record,
        quota_rule.quota_id,
        dense_rank() over (order by chargeable.unit_amount desc nulls last)
            as draw_order
    from chargeable
    left join quota_rule
        on chargeable.usage_type like quota_rule.usage_type_pattern
)

select
    concat(contract.contract_id, '/', ranked.usage_type) as contract_item_id,
    contract.contract_id,
    ranked.usage_type as product_id,
    ranked.usage_type as description,
    ranked.usage_type,
    cast(null as varchar) as usage_tag,
    'quantity' as quantity_field,
    cast(null as decimal(38, 12)) as block_quantity,
    case when ranked.is_priced_on_record then 'spot_amount' end as price_field,
    cast(null as varchar) as unit,
    ranked.quota_id,
    'customer' as quota_scope,
    cast(ranked.draw_order as integer) as draw_order,
    'suspend' as unpriced_usage,
    'full' as usage_shown,
    'record' as statement_grain,
    cast(null as varchar) as purchase_order,
    cast(null as varchar) as product_code,
    cast(null as varchar) as tax_category,
    cast(null as varchar) as gl_account,
    contract.valid_from,
    contract.valid_to
from ranked
cross join contract
