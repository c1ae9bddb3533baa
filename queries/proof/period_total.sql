-- period_total: does all guided usage stand behind lines?
--
-- grain:  billing_period, usage_type, place
-- reads:  guided_total, metered_usage, invoice_line, contract_item
-- rule:   guided = behind lines, which the check period_balance compares

select
    guided_total.billing_period,
    guided_total.usage_type,
    'guided' as place,
    guided_total.record_count,
    guided_total.quantity,
    guided_total.id_hash
from guided_total

union all

select
    invoice_line.billing_period,
    contract_item.usage_type,
    'behind lines' as place,
    sum(metered_usage.part_count) as record_count,
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
