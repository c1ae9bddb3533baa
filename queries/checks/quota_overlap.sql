-- quota_overlap: a quota has one quantity in force at a time.

select
    earlier.quota_id,
    earlier.valid_from,
    later.valid_from as both_in_force_from
from quota as earlier
inner join quota as later
    on earlier.quota_id = later.quota_id
    and earlier.valid_from < later.valid_from
    and (earlier.valid_to is null or later.valid_from < earlier.valid_to)
