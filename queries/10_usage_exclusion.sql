-- usage_exclusion: which records are left out since a person voided them or wrote
-- them off?
--
-- grain:  landing_sequence
-- reads:  excluded_usage, landing_hold
-- rule:   what is held has its place already

select
    excluded_usage.landing_sequence,
    excluded_usage.usage_type,
    excluded_usage.unit,
    excluded_usage.record_quantity,
    excluded_usage.place,
    excluded_usage.reason,
    excluded_usage.replaced_by
from excluded_usage
where not exists (
    select 1
    from landing_hold
    where
        landing_hold.landing_id = excluded_usage.landing_sequence / 1000000000
)
