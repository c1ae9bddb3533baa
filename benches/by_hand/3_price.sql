-- price: which item has which price in which cycle.

create table price as
select
    price_id,
    product_id,
    charge_model,
    cast(unit_amount as decimal(18, 6)) as unit_amount,
    cast(flat_amount as decimal(18, 6)) as flat_amount,
    billing_timing,
    proration,
    starts(valid_from) as valid_from,
    ends(valid_to) as valid_to
from csv('price');

create table quota as
select
    quota_id,
    cast(included_quantity as decimal(18, 6)) as included_quantity,
    proration,
    starts(valid_from) as valid_from,
    ends(valid_to) as valid_to
from csv('quota');

create table contract_item as
select
    contract_item_id,
    contract_id,
    product_id,
    description,
    usage_type,
    quantity_field,
    price_field,
    unit,
    quota_id,
    quota_scope,
    cast(draw_order as integer) as draw_order,
    starts(valid_from) as valid_from,
    ends(valid_to) as valid_to
from csv('contract_item');

-- What usage is guided to: an item in a cycle, at the price that is in force.
create table item_cycle as
select
    cast(row_number() over () as integer) as charge_number,
    contract_number,
    contract_item_id,
    cycle_start,
    price_id,
    cycle_end,
    full_start,
    full_end,
    greatest(cycle_start, item.valid_from, price.valid_from) as charge_from,
    least(cycle_end, item.valid_to, price.valid_to) as charge_to,
    price.valid_from <= greatest(cycle_start, item.valid_from) as is_first_price,
    description,
    usage_type,
    quantity_field,
    price_field,
    unit,
    charge_model,
    unit_amount,
    flat_amount,
    proration,
    quota_id,
    quota_scope,
    if(quota_scope = 'customer', customer_id, contract_id) as owner_id,
    draw_order,
    customer_id,
    contract_id,
    currency,
    time_zone,
    if(
        billing_timing = 'advance', local_month(charge_from, time_zone), billing_period
    ) as billing_period
from contract_item as item
inner join contract_cycle using (contract_id)
inner join contract using (contract_id)
inner join price using (product_id)
where charge_from < charge_to;

-- An overlap would bill twice, and a gap would bill nothing.
select error(concat_ws(' ', trouble, name, valid_from))
from (
    select 'identifiers overlap' as trouble, identifier as name, valid_from
    from identifier
    qualify lead(valid_from) over (
        partition by identifier_kind, identifier order by valid_from
    ) < valid_to
    union all
    select 'prices overlap or have a gap', price_id, valid_from
    from price
    qualify lead(valid_from) over (
        partition by product_id order by valid_from
    ) <> valid_to
    union all
    select 'quotas overlap', quota_id, valid_from
    from quota
    qualify lead(valid_from) over (
        partition by quota_id order by valid_from
    ) < valid_to
    union all
    select 'no price yet', contract_item_id, valid_from
    from contract_item
    anti join price
        on contract_item.product_id = price.product_id
        and price.valid_from <= contract_item.valid_from
);
