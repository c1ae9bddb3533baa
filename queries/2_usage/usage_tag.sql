-- usage_tag: what tells a record apart, so that contract items can ask for it?
--
-- grain:  landing_sequence
-- reads:  usage_window, usage_field_tag
-- rule:   a record without a tag has no row
--
-- A project that tells usage apart by yet other things replaces this query and
-- adds its own tags.

with tagged as (
    select
        usage_window.landing_sequence,
        usage_window.tag
    from usage_window

    union all

    select
        usage_field_tag.landing_sequence,
        usage_field_tag.tag
    from usage_field_tag
)

select
    tagged.landing_sequence,
    concat(
        ',',
        array_to_string(array_sort(array_agg(tagged.tag)), ','),
        ','
    ) as tags
from tagged
group by tagged.landing_sequence
