-- conflict: records that came again and said something else; the first counts
select
    usage_duplicate.source,
    usage_duplicate.usage_type,
    count(*) as records,
    min(usage_duplicate.transaction_id) as one_of_them
from usage_duplicate
where usage_duplicate.duplicate_kind = 'conflicting'
group by
    usage_duplicate.source,
    usage_duplicate.usage_type
order by
    usage_duplicate.source,
    usage_duplicate.usage_type
