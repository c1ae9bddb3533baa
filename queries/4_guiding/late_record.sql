-- late_record: which usage came after its period closed, and how is that period to
-- settle it?
--
-- grain:  landing_sequence, contract_item_id, part_number
-- reads:  guiding, closed_period, booked_usage, reopened_usage, late_policy,
--         usage_exclusion, billed_statement
-- rule:   what stood in a period that is rated again by other rules is settled where
--         it belongs now, but what had counted in the next period stays; the rest of
--         a record that closed ahead is late, too, if it was void or waited when its
--         own period closed

with reopened as (
    select
        reopened_usage.landing_sequence,
        max(reopened_usage.billing_period) as billing_period
    from reopened_usage
    group by reopened_usage.landing_sequence
)

select
    guiding.landing_sequence,
    guiding.contract_item_id,
    guiding.part_number,
    guiding.cycle_start,
    guiding.usage_start,
    guiding.part_end,
    guiding.product_id,
    guiding.usage_type,
    guiding.unit,
    guiding.record_quantity,
    guiding.quantity,
    guiding.record_price,
    guiding.price_share,
    case
        when reopened.landing_sequence is not null then 'rerate'
        else coalesce(late_policy.policy, 'correct')
    end as policy,
    false as is_ahead,
    case late_policy.policy
        when 'next_period'
            then greatest(guiding.billing_period, reopened.billing_period)
        else guiding.billing_period
    end as booked_period,
    guiding.billing_period
from guiding
inner join closed_period
    on guiding.billing_period = closed_period.billing_period
left join late_policy
    on guiding.usage_type = late_policy.usage_type
left join reopened
    on guiding.landing_sequence = reopened.landing_sequence
where guiding.suspense_reason is null

union all

select
    booked_usage.landing_sequence,
    booked_usage.contract_item_id,
    booked_usage.part_number,
    booked_usage.cycle_start,
    booked_usage.usage_start,
    booked_usage.part_end,
    booked_usage.product_id,
    booked_usage.usage_type,
    booked_usage.unit,
    booked_usage.record_quantity,
    booked_usage.quantity,
    booked_usage.record_price,
    booked_usage.price_share,
    'correct' as policy,
    true as is_ahead,
    booked_usage.billing_period as booked_period,
    booked_usage.billing_period
from booked_usage
inner join closed_period
    on booked_usage.billing_period = closed_period.billing_period
where
    booked_usage.closed_in < booked_usage.billing_period
    and not exists (
        select 1
        from usage_exclusion
        where usage_exclusion.landing_sequence = booked_usage.landing_sequence
    )
    and not exists (
        select 1
        from billed_statement
        where
            billed_statement.billing_period = booked_usage.billing_period
            and billed_statement.landing_sequence
            = booked_usage.landing_sequence
    )
