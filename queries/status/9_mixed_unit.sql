-- mixed_unit: usage types that come in several units, and items that add them up
with used as (
    select distinct
        landing.usage_type,
        landing.unit
    from landing
    where landing.unit <> ''
),

mixed as (
    select
        used.usage_type,
        string_agg(used.unit, ', ' order by used.unit) as units
    from used
    group by used.usage_type
    having count(*) > 1
)

select
    mixed.usage_type,
    mixed.units,
    count(*) as items,
    min(contract_item.contract_item_id) as first_item
from mixed
inner join contract_item
    on mixed.usage_type = contract_item.usage_type
where
    contract_item.quantity_field = 'quantity'
    and contract_item.unit is null
group by
    mixed.usage_type,
    mixed.units
order by mixed.usage_type
