-- inclusive_end: rows that end too early if their end was meant to be inclusive
select
    inclusive_end.table_name,
    inclusive_end.row_id,
    inclusive_end.ends_at,
    inclusive_end.finding,
    inclusive_end.write_instead
from inclusive_end
order by
    inclusive_end.table_name,
    inclusive_end.row_id,
    inclusive_end.ends_at
