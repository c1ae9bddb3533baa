-- left_usage: which records that stand in no books will runs ask for again, though
-- they count nowhere, and which others for being compared with them?
--
-- grain:  landing_sequence
-- reads:  closed_period, left_record, usage_duplicate, usage_filtered,
--         usage_exclusion, suspense, usage_record, left_usage
-- rule:   copies of them, of landings that closed books have reached; what counts in
--         a period that is yet to close is in the files of late months, and needs none

with last_closed as (
    select max(closed_period.close_number) as close_number
    from closed_period
),

closing_period as (
    select closed_period.billing_period
    from last_closed
    inner join closed_period
        on last_closed.close_number = closed_period.close_number
),

-- These are few: of all that is left, only they are looked for.
uncounted as (
    select usage_duplicate.landing_sequence
    from usage_duplicate

    union

    select usage_filtered.landing_sequence
    from usage_filtered

    union

    select usage_exclusion.landing_sequence
    from usage_exclusion

    union

    select suspense.landing_sequence
    from suspense
),

left_open as (
    select uncounted.landing_sequence
    from uncounted
    inner join left_record
        on uncounted.landing_sequence = left_record.landing_sequence
    inner join closing_period
        on left_record.closed_in = closing_period.billing_period
),

wanted as (
    select left_open.landing_sequence
    from left_open

    union

    select usage_duplicate.original_landing_sequence
    from left_open
    inner join usage_duplicate
        on left_open.landing_sequence = usage_duplicate.landing_sequence
),

without_copy as (
    select wanted.landing_sequence
    from wanted
    where not exists (
        select 1
        from left_usage
        where left_usage.landing_sequence = wanted.landing_sequence
    )
)

select
    usage_record.* except (fields),
    closing_period.billing_period as closed_in
from without_copy
inner join usage_record
    on without_copy.landing_sequence = usage_record.landing_sequence
cross join closing_period
