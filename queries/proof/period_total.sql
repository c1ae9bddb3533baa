-- period_total: does all guided usage stand behind lines?
--
-- grain:  billing_period, usage_type, place
-- reads:  guided_total, line_total
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
    line_total.billing_period,
    line_total.usage_type,
    'behind lines' as place,
    line_total.record_count,
    line_total.quantity,
    line_total.id_hash
from line_total
