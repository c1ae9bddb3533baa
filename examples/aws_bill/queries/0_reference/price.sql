-- price: the tariff as prices; reservations by the hour; spot as recorded.
--
-- grain:  price_id
-- reads:  tariff, reservation
-- rule:   the usage of a reservation costs nothing because its fee includes it,
--         from the hour on in which it was bought

select
    concat(tariff.usage_type, '/', to_char(tariff.valid_from, '%Y-%m')) as price_id,
    tariff.usage_type as product_id,
    case
        when tariff.unit_amount is null then 'record_amount'
        else 'per_unit'
    end as charge_model,
    tariff.unit_amount,
    cast(null as decimal(38, 12)) as flat_amount,
    cast(null as decimal(38, 12)) as record_maximum,
    'arrears' as billing_timing,
    'none' as proration,
    cast(null as integer) as fixed_days,
    tariff.valid_from,
    tariff.valid_to
from tariff

union all

select
    concat('reservation fee/', reservation.reservation_id) as price_id,
    concat('reservation fee/', reservation.reservation_id) as product_id,
    'per_unit' as charge_model,
    reservation.hourly_fee as unit_amount,
    cast(null as decimal(38, 12)) as flat_amount,
    cast(null as decimal(38, 12)) as record_maximum,
    'arrears' as billing_timing,
    'none' as proration,
    cast(null as integer) as fixed_days,
    reservation.valid_from,
    cast(null as timestamp with time zone) as valid_to
from reservation

union all

select
    concat('reserved usage/', reservation.reservation_id) as price_id,
    concat('reserved usage/', reservation.reservation_id) as product_id,
    'per_unit' as charge_model,
    cast(0 as decimal(38, 12)) as unit_amount,
    cast(null as decimal(38, 12)) as flat_amount,
    cast(null as decimal(38, 12)) as record_maximum,
    'arrears' as billing_timing,
    'none' as proration,
    cast(null as integer) as fixed_days,
    date_trunc('hour', reservation.valid_from) as valid_from,
    cast(null as timestamp with time zone) as valid_to
from reservation
