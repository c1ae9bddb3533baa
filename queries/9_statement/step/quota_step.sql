-- quota_step: how much of the quantity of a line does a quota include?
--
-- grain:  line_id
-- reads:  item_text, priced_cycle, entitlement_status, billable_usage

select
    item_text.line_id,
    item_text.billing_period,
    item_text.currency,
    2 as stage,
    0 as place,
    'quota' as what,
    concat(
        'included ',
        number_text(item_text.included_quantity, 0),
        case
            when billable_usage.goodwill_quantity <> 0
                then concat(
                    ' (of that goodwill ',
                    number_text(billable_usage.goodwill_quantity, 0),
                    ')'
                )
            else ''
        end,
        ', used ',
        number_text(item_text.quantity, 0),
        ', billable ',
        number_text(item_text.billable_quantity, 0)
    ) as formula,
    cast(0 as decimal(38, 12)) as amount,
    concat(
        'quota ',
        priced_cycle.quota_id,
        ' of ',
        priced_cycle.quota_owner_id,
        coalesce(
            ': '
            || number_text(entitlement_status.included_quantity, 0)
            || ' in the cycle, '
            || number_text(entitlement_status.used_quantity, 0)
            || ' used',
            ''
        )
    ) as by_rule,
    'billable_usage' as made_by
from item_text
inner join priced_cycle
    on item_text.contract_item_id = priced_cycle.contract_item_id
    and item_text.cycle_start = priced_cycle.cycle_start
    and item_text.price_id = priced_cycle.price_id
    and item_text.billing_period = priced_cycle.billing_period
left join entitlement_status
    on priced_cycle.quota_id = entitlement_status.quota_id
    and priced_cycle.quota_scope = entitlement_status.quota_scope
    and priced_cycle.quota_owner_id = entitlement_status.owner_id
    and priced_cycle.full_start = entitlement_status.cycle_start
left join billable_usage
    on item_text.contract_item_id = billable_usage.contract_item_id
    and item_text.cycle_start = billable_usage.cycle_start
    and item_text.price_id = billable_usage.price_id
    and item_text.billing_period = billable_usage.billing_period
    and item_text.group_key = billable_usage.group_key
where priced_cycle.quota_id is not null and item_text.line_type <> 'fee'
