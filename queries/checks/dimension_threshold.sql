-- dimension_threshold: of the thresholds of a field only the highest holds, so that
-- no two of a rule_group are the same.

select
    price.price_id,
    price.charge_model,
    concat(
        'rule_group ', dimension_rule.rule_group,
        ' has several dimension_rules with one threshold'
    ) as mistake
from dimension_rule
inner join price
    on dimension_rule.price_id = price.price_id
where dimension_rule.threshold is not null
group by
    price.price_id,
    price.charge_model,
    dimension_rule.rule_group,
    dimension_rule.field,
    dimension_rule.threshold
having count(*) > 1
