-- place_total: how many records of a landing are in each place?
--
-- grain:  landing_id, usage_type, unit, place, times
-- reads:  record_place
-- rule:   sums and counts alone, so that what is new is added to what was there

select
    landing_of(record_place.landing_sequence) as landing_id,
    record_place.usage_type,
    record_place.unit,
    record_place.place,
    record_place.times,
    count(*) as record_count,
    sum(coalesce(record_place.record_quantity, 0)) as quantity,
    sum(cast(row_hash(record_place.landing_sequence) as decimal(38, 0)))
        as id_hash
from record_place
group by
    landing_of(record_place.landing_sequence),
    record_place.usage_type,
    record_place.unit,
    record_place.place,
    record_place.times
