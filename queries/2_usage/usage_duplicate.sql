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
        compared_record.id_hash,
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

compared as (
    select
        candidate.*,
        min(
            case when candidate.is_excluded then candidate.landing_sequence end
        ) over (
            partition by
                candidate.id_hash,
                candidate.source,
                candidate.transaction_id,
                candidate.identity_time,
                candidate.content_hash
        ) as first_excluded
    from candidate
),

-- What is the same as an excluded record that came before it, is excluded with it.
followed as (
    select
        compared.*,
        case
            when
                compared.is_open
                and not compared.is_excluded
                and compared.first_excluded < compared.landing_sequence
                then compared.first_excluded
        end as excluded_landing_sequence
    from compared
),

arrival as (
    select
        followed.landing_sequence,
        coalesce(
            followed.excluded_landing_sequence,
            first_value(followed.landing_sequence) over identity_in_order
        ) as original_landing_sequence,
        followed.id_hash,
        followed.source,
        followed.transaction_id,
        followed.usage_type,
        followed.unit,
        followed.record_quantity,
        followed.is_open,
        followed.is_excluded,
        followed.excluded_landing_sequence is not null
        or followed.content_hash
        = first_value(followed.content_hash) over identity_in_order
            as is_identical
    from followed
    window identity_in_order as (
        partition by
            followed.id_hash,
            followed.source,
            followed.transaction_id,
            followed.identity_time
        order by
            followed.is_excluded
            or followed.excluded_landing_sequence is not null,
            followed.is_open,
            followed.precedence
        rows between unbounded preceding and unbounded following
    )
)

select
    arrival.landing_sequence,
    arrival.original_landing_sequence,
    arrival.id_hash,
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
