-- usage_filtered: which usage is left out on purpose, and by which rule?
--
-- grain:  landing_sequence
-- reads:  usage_filter, usage, booked_usage
-- rule:   where two rules match, the first by name is given; what stands in closed
--         books stays there

select
    usage.landing_sequence,
    usage.usage_type,
    coalesce(usage.unit, '') as unit,
    coalesce(usage.quantity, 0) as record_quantity,
    min(usage_filter.filter_rule) as filter_rule
from usage
inner join usage_filter
    on usage.usage_type = usage_filter.usage_type
    and usage.source = coalesce(usage_filter.source, usage.source)
where not exists (
    select 1
    from booked_usage
    where booked_usage.landing_sequence = usage.landing_sequence
)
group by
    usage.landing_sequence,
    usage.usage_type,
    coalesce(usage.unit, ''),
    coalesce(usage.quantity, 0)
