-- usage_field_tag: which tags does usage bear by what its fields say?
--
-- grain:  landing_sequence, tag
-- reads:  open_usage, tag_rule, tag_rule_value
-- rule:   of the tags of a group the first that fits; a tag without values fits
--         all usage of its type

with candidate as (
    select
        open_usage.landing_sequence,
        open_usage.usage_type,
        open_usage.fields,
        tag_rule.tag,
        tag_rule.tag_group,
        tag_rule.position
    from tag_rule
    inner join open_usage
        on tag_rule.usage_type = open_usage.usage_type
),

rule_field as (
    select distinct
        tag_rule_value.usage_type,
        tag_rule_value.tag,
        tag_rule_value.kind,
        tag_rule_value.entry_number,
        tag_rule_value.field
    from tag_rule_value
),

-- A field that has none of the values that an entry has for it.
other_value as (
    select
        candidate.landing_sequence,
        rule_field.tag,
        rule_field.kind,
        rule_field.entry_number
    from candidate
    inner join rule_field
        on candidate.usage_type = rule_field.usage_type
        and candidate.tag = rule_field.tag
    left join tag_rule_value
        on rule_field.usage_type = tag_rule_value.usage_type
        and rule_field.tag = tag_rule_value.tag
        and rule_field.kind = tag_rule_value.kind
        and rule_field.entry_number = tag_rule_value.entry_number
        and rule_field.field = tag_rule_value.field
        and field_is(
            candidate.fields, tag_rule_value.field, tag_rule_value.field_value
        )
    where tag_rule_value.tag is null
),

exclusion as (
    select distinct
        rule_field.usage_type,
        rule_field.tag,
        rule_field.entry_number
    from rule_field
    where rule_field.kind = 'excludes'
),

excluded as (
    select
        candidate.landing_sequence,
        candidate.tag
    from candidate
    inner join exclusion
        on candidate.usage_type = exclusion.usage_type
        and candidate.tag = exclusion.tag
    where not exists (
        select 1
        from other_value
        where
            other_value.kind = 'excludes'
            and other_value.landing_sequence = candidate.landing_sequence
            and other_value.tag = candidate.tag
            and other_value.entry_number = exclusion.entry_number
    )
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
    where
        not exists (
            select 1
            from other_value
            where
                other_value.kind = 'asks'
                and other_value.landing_sequence = candidate.landing_sequence
                and other_value.tag = candidate.tag
        )
        and not exists (
            select 1
            from excluded
            where
                excluded.landing_sequence = candidate.landing_sequence
                and excluded.tag = candidate.tag
        )
)

select
    fit.landing_sequence,
    fit.tag
from fit
where fit.place = 1
