-- usage_filtered: which usage is left out on purpose, and by which rule?
--
-- grain:  landing_sequence
-- reads:  usage_filter, open_usage
-- rule:   where two rules match, the first by name is given; what stands in closed
--         books stays there

select
    open_usage.landing_sequence,
    open_usage.usage_type,
    coalesce(open_usage.unit, '') as unit,
    coalesce(open_usage.quantity, 0) as record_quantity,
    min(usage_filter.filter_rule) as filter_rule
from open_usage
inner join usage_filter
    on open_usage.usage_type = usage_filter.usage_type
    and open_usage.source = coalesce(usage_filter.source, open_usage.source)
group by
    open_usage.landing_sequence,
    open_usage.usage_type,
    coalesce(open_usage.unit, ''),
    coalesce(open_usage.quantity, 0)
