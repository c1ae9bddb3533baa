-- usage_field_tag: which tags does usage bear by what its fields say?
--
-- grain:  landing_sequence, tag
-- reads:  usage, tag_rule, tag_rule_value
-- rule:   of the tags of a group the first that fits; a tag without values fits
--         all usage of its type

with candidate as (
    select
        usage.landing_sequence,
        usage.usage_type,
        usage.fields,
        tag_rule.tag,
        tag_rule.tag_group,
        tag_rule.position
    from tag_rule
    inner join usage
        on tag_rule.usage_type = usage.usage_type
),

entry as (
    select
        tag_rule_value.usage_type,
        tag_rule_value.tag,
        tag_rule_value.entry_number,
        count(distinct tag_rule_value.field) as fields
    from tag_rule_value
    group by
        tag_rule_value.usage_type,
        tag_rule_value.tag,
        tag_rule_value.entry_number
),

met as (
    select
        candidate.landing_sequence,
        candidate.tag,
        tag_rule_value.entry_number,
        count(distinct tag_rule_value.field) as fields
    from candidate
    inner join tag_rule_value
        on candidate.usage_type = tag_rule_value.usage_type
        and candidate.tag = tag_rule_value.tag
        and field_is(
            candidate.fields, tag_rule_value.field, tag_rule_value.field_value
        )
    group by
        candidate.landing_sequence,
        candidate.tag,
        tag_rule_value.entry_number
),

unfit as (
    select
        candidate.landing_sequence,
        candidate.tag
    from candidate
    inner join entry
        on candidate.usage_type = entry.usage_type
        and candidate.tag = entry.tag
    left join met
        on candidate.landing_sequence = met.landing_sequence
        and candidate.tag = met.tag
        and entry.entry_number = met.entry_number
    where
        (entry.entry_number = 0)
        <> (coalesce(met.fields, 0) = entry.fields)
),

fit as (
    select
        candidate.landing_sequence,
        candidate.tag,
        row_number() over (
            partition by candidate.landing_sequence, candidate.tag_group
            order by candidate.position, candidate.tag
        ) as place
    from candidate
    where not exists (
        select 1
        from unfit
        where
            unfit.landing_sequence = candidate.landing_sequence
            and unfit.tag = candidate.tag
    )
)

select
    fit.landing_sequence,
    fit.tag
from fit
where fit.place = 1
