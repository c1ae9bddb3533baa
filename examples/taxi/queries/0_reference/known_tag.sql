-- known_tag: which tags can a trip bear, so that items may ask for them?
--
-- grain:  tag, usage_type
-- reads:  time_window, tariff_item
-- rule:   each tag of a window, and those that usage_tag tells apart for all trips

select
    time_window.tag,
    time_window.usage_type
from time_window

union all

select
    tariff_item.usage_tag as tag,
    tariff_item.usage_type
from tariff_item
where tariff_item.usage_tag in ('congestion', 'by_distance', 'by_time')
