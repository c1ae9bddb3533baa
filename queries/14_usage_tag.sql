-- usage_tag: what tells a record apart, so that contract items can ask for it?
--
-- grain:  landing_sequence
-- reads:  usage_window
-- rule:   a record without a tag has no row
--
-- A project that tells usage apart by other things than time replaces this
-- query and adds its own tags.

select
    usage_window.landing_sequence,
    concat(
        ',',
        array_to_string(array_sort(array_agg(usage_window.tag)), ','),
        ','
    ) as tags
from usage_window
group by usage_window.landing_sequence
