-- overlapping_rental: how many rentals begin before the one before of the same
-- vehicle has ended?
--
-- reads: usage_record

with rental as (
    select
        usage_record.usage_date,
        usage_record.usage_start < lag(usage_record.usage_end) over (
            partition by usage_record.vin
            order by usage_record.usage_start, usage_record.landing_sequence
        ) as is_overlapping
    from usage_record
    where usage_record.usage_type = 'CarRentUsage'
)

select
    rental.usage_date,
    count(*) as rentals,
    sum(case when rental.is_overlapping then 1 else 0 end) as overlapping_rentals
from rental
group by rental.usage_date
order by rental.usage_date
