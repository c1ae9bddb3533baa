-- quota_draw: who draws from its quota in this cycle, in order
with drawn_quota as (
    select
        priced_cycle.quota_id,
        priced_cycle.quota_scope,
        priced_cycle.quota_owner_id,
        priced_cycle.full_start
    from invoice_line
    inner join priced_cycle
        on invoice_line.contract_item_id = priced_cycle.contract_item_id
        and invoice_line.cycle_start = priced_cycle.cycle_start
        and invoice_line.price_id = priced_cycle.price_id
        and invoice_line.billing_period = priced_cycle.billing_period
    where
        invoice_line.line_id = $line_id
        and invoice_line.corrected_period is null
        and priced_cycle.quota_id is not null
)

select
    row_number() over (
        order by
            priced_cycle.draw_order,
            priced_cycle.charge_from,
            priced_cycle.contract_id,
            billable_usage.contract_item_id,
            billable_usage.price_id,
            billable_usage.group_key
    ) as draw,
    priced_cycle.contract_id,
    billable_usage.contract_item_id,
    billable_usage.price_id,
    billable_usage.quantity as used,
    billable_usage.included_quantity as included,
    billable_usage.billable_quantity as billable
from drawn_quota
inner join priced_cycle
    on drawn_quota.quota_id = priced_cycle.quota_id
    and drawn_quota.quota_scope = priced_cycle.quota_scope
    and drawn_quota.quota_owner_id = priced_cycle.quota_owner_id
    and drawn_quota.full_start = priced_cycle.full_start
inner join billable_usage
    on priced_cycle.contract_item_id = billable_usage.contract_item_id
    and priced_cycle.cycle_start = billable_usage.cycle_start
    and priced_cycle.price_id = billable_usage.price_id
    and priced_cycle.billing_period = billable_usage.billing_period
order by draw
