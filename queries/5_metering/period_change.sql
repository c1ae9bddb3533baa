-- period_change: which closed periods have other usage now than when they closed?
--
-- grain:  billing_period
-- reads:  late_usage, booked_usage, reopened_usage, usage_exclusion,
--         billed_statement
-- rule:   late usage stays counted here when a correction has settled it, so that
--         the whole of what changed is rated again and again gives the same; only
--         what stands behind a line that closed can be taken from it

with reopened as (
    select distinct reopened_usage.landing_sequence
    from reopened_usage
),

changed as (
    select
        late_usage.counted_period as billing_period,
        late_usage.landing_sequence,
        late_usage.contract_item_id,
        late_usage.part_number,
        late_usage.counted_cycle_start as cycle_start,
        late_usage.quantity,
        late_usage.record_price,
        'late' as change_kind
    from late_usage
    where
        late_usage.suspense_reason is null
        and late_usage.policy in ('correct', 'rerate')

    union all

    select
        booked_usage.billing_period,
        booked_usage.landing_sequence,
        booked_usage.contract_item_id,
        booked_usage.part_number,
        booked_usage.cycle_start,
        booked_usage.quantity,
        booked_usage.record_price,
        'late' as change_kind
    from booked_usage
    where
        booked_usage.closed_in > booked_usage.billing_period
        and not exists (
            select 1
            from usage_exclusion
            where
                usage_exclusion.landing_sequence
                = booked_usage.landing_sequence
        )

    union all

    select
        booked_usage.billing_period,
        booked_usage.landing_sequence,
        booked_usage.contract_item_id,
        booked_usage.part_number,
        booked_usage.cycle_start,
        booked_usage.quantity,
        booked_usage.record_price,
        'void' as change_kind
    from booked_usage
    inner join usage_exclusion
        on booked_usage.landing_sequence = usage_exclusion.landing_sequence
    where
        booked_usage.closed_in <= booked_usage.billing_period
        and exists (
            select 1
            from billed_statement
            where
                billed_statement.billing_period = booked_usage.billing_period
                and billed_statement.landing_sequence
                = booked_usage.landing_sequence
        )
)

select
    changed.billing_period,
    count(
        case
            when
                changed.change_kind = 'late'
                and reopened.landing_sequence is null
                then 1
        end
    ) as late_count,
    count(case changed.change_kind when 'void' then 1 end) as void_count,
    count(
        case
            when
                changed.change_kind = 'late'
                and reopened.landing_sequence is not null
                then 1
        end
    ) as guided_again_count,
    sum(
        cast(
            row_hash(
                changed.landing_sequence,
                changed.contract_item_id,
                changed.part_number,
                changed.cycle_start,
                changed.quantity,
                changed.record_price,
                changed.change_kind
            ) as decimal(38, 0)
        )
    ) as change_hash
from changed
left join reopened
    on changed.landing_sequence = reopened.landing_sequence
group by changed.billing_period
