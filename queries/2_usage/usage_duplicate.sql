-- usage_duplicate: which records came before, and did they say the same?
--
-- grain:  landing_sequence
-- reads:  compared_record, identity_rule, landing_hold, usage_exclusion
-- rule:   a record is identified by source and transaction_id, and the first to
--         arrive counts, unless its source has a rule of its own; one that stands
--         in closed books stays there; one that is void or written off is in no
--         count, so only its own copies that come again are its duplicates

with candidate as (
    select
        compared_record.landing_sequence,
        compared_record.source,
        compared_record.transaction_id,
        compared_record.usage_type,
        coalesce(compared_record.unit, '') as unit,
        coalesce(compared_record.quantity, 0) as record_quantity,
        case identity_rule.identity
            when 'transaction_id_time' then compared_record.usage_start
        end as identity_time,
        compared_record.is_open,
        usage_exclusion.landing_sequence is not null as is_excluded,
        case identity_rule.keeps
            when 'latest' then -compared_record.landing_sequence
            else compared_record.landing_sequence
        end as precedence,
        row_hash(fields_json(compared_record.fields)) as content_hash
    from compared_record
    left join identity_rule
        on compared_record.source = identity_rule.source
    left join usage_exclusion
        on compared_record.landing_sequence = usage_exclusion.landing_sequence
    where not exists (
        select 1
        from landing_hold
        where landing_hold.landing_id = compared_record.landing_id
    )
),

-- What is the same as an excluded record that came before it, is excluded with it.
compared as (
    select
        candidate.landing_sequence,
        candidate.source,
        candidate.transaction_id,
        candidate.identity_time,
        candidate.usage_type,
        candidate.unit,
        candidate.record_quantity,
        candidate.is_open,
        candidate.is_excluded,
        candidate.precedence,
        candidate.content_hash,
        case
            when not candidate.is_excluded and candidate.is_open
                then min(
                    case
                        when candidate.is_excluded
                            then candidate.landing_sequence
                    end
                ) over (
                    partition by
                        candidate.source,
                        candidate.transaction_id,
                        candidate.identity_time,
                        candidate.content_hash
                    order by candidate.landing_sequence
                    rows between unbounded preceding and current row
                )
        end as excluded_landing_sequence
    from candidate
),

arrival as (
    select
        compared.landing_sequence,
        coalesce(
            compared.excluded_landing_sequence,
            first_value(compared.landing_sequence) over identity_in_order
        ) as original_landing_sequence,
        compared.source,
        compared.transaction_id,
        compared.usage_type,
        compared.unit,
        compared.record_quantity,
        compared.is_open,
        compared.is_excluded,
        compared.excluded_landing_sequence is not null
        or compared.content_hash
        = first_value(compared.content_hash) over identity_in_order
            as is_identical
    from compared
    window identity_in_order as (
        partition by
            compared.source,
            compared.transaction_id,
            compared.identity_time
        order by
            compared.is_excluded
            or compared.excluded_landing_sequence is not null,
            compared.is_open,
            compared.precedence
        rows between unbounded preceding and current row
    )
)

select
    arrival.landing_sequence,
    arrival.original_landing_sequence,
    arrival.source,
    arrival.transaction_id,
    arrival.usage_type,
    arrival.unit,
    arrival.record_quantity,
    case when arrival.is_identical then 'identical' else 'conflicting' end
        as duplicate_kind
from arrival
where
    arrival.landing_sequence <> arrival.original_landing_sequence
    and arrival.is_open
    and not arrival.is_excluded
