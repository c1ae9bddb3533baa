-- known_tag: which tags can usage of a type bear, so that items may ask for them?
--
-- grain:  tag, usage_type
-- reads:  tag_rule, time_window
-- rule:   each tag of a rule and of a window
--
-- A project that replaces usage_tag by a query with tags of its own replaces this
-- one, too.

select
    tag_rule.tag,
    tag_rule.usage_type
from tag_rule

union all

select
    time_window.tag,
    time_window.usage_type
from time_window
