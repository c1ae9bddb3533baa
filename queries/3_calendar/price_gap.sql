-- price_gap: when has an item no price, though its usage may not be free?
--
-- grain:  contract_item_id, gap_from
-- reads:  contract_item, price
-- rule:   a gap without begin or end has been, or stays, for ever

with version as (
    select
        price.product_id,
        price.valid_from,
        price.valid_to,
        row_number() over (
            partition by price.product_id order by price.valid_from
        ) as version_number,
        lead(price.valid_from) over (
            partition by price.product_id order by price.valid_from
        ) as next_valid_from
    from price
),

gap as (
    select
        version.product_id,
        cast(null as timestamp with time zone) as gap_from,
        version.valid_from as gap_to
    from version
    where version.version_number = 1

    union all

    select
        version.product_id,
        version.valid_to as gap_from,
        version.next_valid_from as gap_to
    from version
    where
        version.valid_to < version.next_valid_from
        or (version.valid_to is not null and version.next_valid_from is null)

    union all

    select distinct
        contract_item.product_id,
        cast(null as timestamp with time zone) as gap_from,
        cast(null as timestamp with time zone) as gap_to
    from contract_item
    where not exists (
        select 1 from price where price.product_id = contract_item.product_id
    )
)

select
    contract_item.contract_item_id,
    gap.gap_from,
    gap.gap_to
from contract_item
inner join gap
    on contract_item.product_id = gap.product_id
    and (gap.gap_to is null or gap.gap_to > contract_item.valid_from)
    and (
        gap.gap_from is null
        or contract_item.valid_to is null
        or gap.gap_from < contract_item.valid_to
    )
where contract_item.unpriced_usage = 'suspend'
