-- interim_cycle_start: what is billed before its end is a cycle: one begins there.

select
    interim_cycle.contract_item_id,
    interim_cycle.cycle_start,
    billing_cycle.cycle_start as begins,
    billing_cycle.cycle_end as ends
from interim_cycle
inner join contract_item
    on interim_cycle.contract_item_id = contract_item.contract_item_id
inner join billing_cycle
    on contract_item.contract_id = billing_cycle.contract_id
where
    interim_cycle.cycle_start > billing_cycle.cycle_start
    and interim_cycle.cycle_start < billing_cycle.cycle_end
