-- line_total: how much usage stands behind the lines of each period?
--
-- grain:  billing_period, usage_type
-- reads:  metered_usage, invoice_line, contract_item
-- engine: lines are counted, so that a sum can be brought up to date by what changed
-- rule:   corrections of closed periods have no usage of their own

select
    invoice_line.billing_period,
    contract_item.usage_type,
    count(*) as line_count,
    cast(sum(metered_usage.part_count) as bigint) as record_count,
    sum(metered_usage.record_quantity) as quantity,
    sum(metered_usage.id_hash) as id_hash
from invoice_line
inner join metered_usage
    on invoice_line.contract_item_id = metered_usage.contract_item_id
    and invoice_line.cycle_start = metered_usage.cycle_start
    and invoice_line.price_id = metered_usage.price_id
    and invoice_line.group_key = metered_usage.group_key
    and invoice_line.billing_period = metered_usage.billing_period
inner join contract_item
    on invoice_line.contract_item_id = contract_item.contract_item_id
where
    contract_item.usage_type is not null
    and invoice_line.record_count > 0
    and invoice_line.corrected_period is null
group by
    invoice_line.billing_period,
    contract_item.usage_type
