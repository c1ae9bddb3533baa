-- place: where each arrival is, and why
with arrival as (
    select usage_record.landing_sequence
    from usage_record
    where
        usage_record.transaction_id = $transaction_id
        and usage_record.source
        = coalesce(cast($source as varchar), usage_record.source)
),

placed as (
    select
        usage_rejected.landing_sequence,
        'rejected' as place,
        usage_rejected.reject_reason as why
    from usage_rejected
    where usage_rejected.transaction_id = $transaction_id

    union all

    select
        arrival.landing_sequence,
        landing_hold.place,
        case landing_hold.place
            when 'discarded' then landing_hold.hold_name
            else concat('landed with --hold ', landing_hold.hold_name)
        end as why
    from arrival
    inner join landing_hold
        on landing_of(arrival.landing_sequence) = landing_hold.landing_id
    where not exists (
        select 1
        from usage_exclusion
        where usage_exclusion.landing_sequence = arrival.landing_sequence
    )

    union all

    select
        usage_duplicate.landing_sequence,
        'duplicate' as place,
        concat(
            usage_duplicate.duplicate_kind,
            ' to ',
            usage_duplicate.original_landing_sequence,
            ', which ',
            coalesce('is ' || usage_exclusion.place, 'counts')
        ) as why
    from usage_duplicate
    inner join arrival
        on usage_duplicate.landing_sequence = arrival.landing_sequence
    left join usage_exclusion
        on usage_duplicate.original_landing_sequence
        = usage_exclusion.landing_sequence

    union all

    select
        usage_exclusion.landing_sequence,
        usage_exclusion.place,
        concat(
            usage_exclusion.reason,
            coalesce('; replaced by ' || usage_exclusion.replaced_by, '')
        ) as why
    from usage_exclusion
    inner join arrival
        on usage_exclusion.landing_sequence = arrival.landing_sequence

    union all

    select
        usage_filtered.landing_sequence,
        'filtered' as place,
        concat('left out by rule ', usage_filtered.filter_rule) as why
    from usage_filtered
    inner join arrival
        on usage_filtered.landing_sequence = arrival.landing_sequence

    union all

    select
        suspense.landing_sequence,
        'suspense' as place,
        suspense.suspense_reason as why
    from suspense
    inner join arrival
        on suspense.landing_sequence = arrival.landing_sequence

    union all

    select distinct
        counted_usage.landing_sequence,
        'guided' as place,
        concat(
            'counts for ',
            counted_usage.contract_item_id,
            ' in ',
            counted_usage.billing_period
        ) as why
    from counted_usage
    inner join arrival
        on counted_usage.landing_sequence = arrival.landing_sequence

    union all

    select
        arrival.landing_sequence,
        'not yet run' as place,
        'landed after the last run: meterhouse run' as why
    from arrival
    where not exists (
        select 1
        from control_total
        where
            control_total.landing_id = landing_of(arrival.landing_sequence)
    )
)

select
    placed.landing_sequence,
    placed.place,
    placed.why
from placed
order by
    placed.landing_sequence,
    placed.place,
    placed.why
