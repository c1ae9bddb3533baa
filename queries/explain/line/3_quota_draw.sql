-- quota_draw: who draws from its quota in this cycle, in order
with drawn_quota as (
    select
        item_cycle.quota_id,
        item_cycle.quota_scope,
        item_cycle.quota_owner_id,
        item_cycle.full_start
    from invoice_line
    inner join item_cycle
        on invoice_line.contract_item_id = item_cycle.contract_item_id
        and invoice_line.cycle_start = item_cycle.cycle_start
        and invoice_line.price_id = item_cycle.price_id
        and invoice_line.billing_period = item_cycle.billing_period
    where
        invoice_line.line_id = $line_id
        and invoice_line.corrected_period is null
        and item_cycle.quota_id is not null
)

select
    row_number() over (
        order by
            item_cycle.draw_order,
            item_cycle.charge_from,
            item_cycle.contract_id,
            billable_usage.contract_item_id,
            billable_usage.price_id,
            billable_usage.group_key
    ) as draw,
    item_cycle.contract_id,
    billable_usage.contract_item_id,
    billable_usage.price_id,
    billable_usage.quantity as used,
    billable_usage.included_quantity as included,
    billable_usage.billable_quantity as billable
from drawn_quota
inner join item_cycle
    on drawn_quota.quota_id = item_cycle.quota_id
    and drawn_quota.quota_scope = item_cycle.quota_scope
    and drawn_quota.quota_owner_id = item_cycle.quota_owner_id
    and drawn_quota.full_start = item_cycle.full_start
inner join billable_usage
    on item_cycle.contract_item_id = billable_usage.contract_item_id
    and item_cycle.cycle_start = billable_usage.cycle_start
    and item_cycle.price_id = billable_usage.price_id
    and item_cycle.billing_period = billable_usage.billing_period
order by draw
