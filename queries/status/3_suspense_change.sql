-- suspense_change: what entered suspense since its period closed, and what left it
with before as (
    select
        closed_suspense.landing_sequence,
        closed_suspense.usage_type,
        closed_suspense.unit,
        closed_suspense.record_quantity,
        closed_suspense.suspense_reason
    from closed_suspense
),

closed as (
    select max(period_end.ends_at) as ends_at
    from closed_period
    inner join period_end
        on closed_period.billing_period = period_end.billing_period
),

counted as (
    select
        unbooked_usage.landing_sequence,
        min(unbooked_usage.billing_period) as billing_period
    from unbooked_usage
    inner join before
        on unbooked_usage.landing_sequence = before.landing_sequence
    group by unbooked_usage.landing_sequence
),

change as (
    select
        'left' as change,
        before.usage_type,
        before.unit,
        before.record_quantity,
        before.suspense_reason,
        coalesce(
            usage_exclusion.place,
            case when usage_duplicate.landing_sequence is not null then 'duplicate' end,
            case when usage_filtered.landing_sequence is not null then 'filtered' end,
            concat('counts in ', counted.billing_period)
        ) as became
    from before
    left join usage_exclusion
        on before.landing_sequence = usage_exclusion.landing_sequence
    left join usage_duplicate
        on before.landing_sequence = usage_duplicate.landing_sequence
    left join usage_filtered
        on before.landing_sequence = usage_filtered.landing_sequence
    left join counted
        on before.landing_sequence = counted.landing_sequence
    left join booked_landing
        on landing_of(before.landing_sequence) = booked_landing.landing_id
    left join open_record
        on before.landing_sequence = open_record.landing_sequence
    where
        not exists (
            select 1
            from suspense
            where suspense.landing_sequence = before.landing_sequence
        )
        -- What has left and closed since is settled.
        and (
            booked_landing.landing_id is null
            or open_record.landing_sequence is not null
        )

    union all

    select
        case when before.landing_sequence is null then 'entered' else 'stays' end
            as change,
        suspense.usage_type,
        suspense.unit,
        suspense.record_quantity,
        coalesce(before.suspense_reason, suspense.suspense_reason)
            as suspense_reason,
        case
            when before.suspense_reason <> suspense.suspense_reason
                then suspense.suspense_reason
        end as became
    from suspense
    inner join closed
        on suspense.usage_start < closed.ends_at
    left join before
        on suspense.landing_sequence = before.landing_sequence
)

select
    change.change,
    change.suspense_reason,
    change.became,
    change.usage_type,
    count(*) as records,
    sum(change.record_quantity) as quantity,
    change.unit
from change
where change.change <> 'stays' or change.became is not null
group by
    change.change,
    change.suspense_reason,
    change.became,
    change.usage_type,
    change.unit
order by
    change.change,
    change.suspense_reason,
    change.became,
    change.usage_type,
    change.unit
