-- balance: where every received record is
select
    control_total.place,
    sum(control_total.record_count) as records
from control_total
group by control_total.place
order by
    case control_total.place when 'received' then 1 when 'guided' then 3 else 2 end,
    control_total.place
