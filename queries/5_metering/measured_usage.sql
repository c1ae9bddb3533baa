-- measured_usage: what does the usage of a metric come to in a cycle?
--
-- grain:  contract_item_id, cycle_start, price_id, group_key
-- reads:  metric, record_detail, metric_total, contract_item
-- rule:   the result is rounded once, as declared

with counted as (
    select
        record_detail.contract_item_id,
        record_detail.cycle_start,
        record_detail.price_id,
        record_detail.group_key,
        count(*) as record_count,
        count(record_detail.guided_part) as part_count,
        sum(record_detail.quantity) as record_quantity,
        sum(record_detail.record_amount) as record_amount,
        sum(
            case
                when record_detail.guided_part is not null
                    then cast(
                        row_hash(
                            record_detail.landing_sequence,
                            record_detail.contract_item_id,
                            record_detail.guided_part
                        ) as decimal(38, 0)
                    )
            end
        ) as id_hash
    from metric
    inner join record_detail
        on metric.product_id = record_detail.product_id
    group by
        record_detail.contract_item_id,
        record_detail.cycle_start,
        record_detail.price_id,
        record_detail.group_key
),

-- A group whose records all change nothing has a total of zero.
in_group as (
    select
        metric_total.contract_item_id,
        metric_total.cycle_start,
        metric_total.price_id,
        metric_total.group_key
    from metric_total

    union

    select
        counted.contract_item_id,
        counted.cycle_start,
        counted.price_id,
        counted.group_key
    from counted
),

exact as (
    select
        in_group.*,
        metric.decimals,
        metric.rounding,
        coalesce(counted.record_count, 0) as record_count,
        coalesce(counted.part_count, 0) as part_count,
        coalesce(counted.record_quantity, 0) as record_quantity,
        coalesce(counted.record_amount, 0) as record_amount,
        coalesce(counted.id_hash, 0) as id_hash,
        coalesce(metric_total.full_quantity, 0) as full_quantity,
        case
            when
                metric.negative_quantity = 'zero'
                and coalesce(metric_total.share_quantity, 0) < 0
                then 0
            else coalesce(metric_total.share_quantity, 0)
        end as share_quantity,
        coalesce(metric_total.share_whole, 1) as share_whole
    from in_group
    inner join contract_item
        on in_group.contract_item_id = contract_item.contract_item_id
    inner join metric
        on contract_item.product_id = metric.product_id
    left join counted
        on in_group.contract_item_id = counted.contract_item_id
        and in_group.cycle_start = counted.cycle_start
        and in_group.price_id = counted.price_id
        and in_group.group_key = counted.group_key
    left join metric_total
        on in_group.contract_item_id = metric_total.contract_item_id
        and in_group.cycle_start = metric_total.cycle_start
        and in_group.price_id = metric_total.price_id
        and in_group.group_key = metric_total.group_key
)

select
    exact.contract_item_id,
    exact.cycle_start,
    exact.price_id,
    exact.group_key,
    exact.record_count,
    exact.part_count,
    exact.record_quantity,
    exact.full_quantity,
    case
        when exact.decimals < 0
            then round_money(
                prorate(exact.share_quantity, 1, exact.share_whole),
                exact.decimals,
                exact.rounding
            )
        else
            round_ratio(
                exact.share_quantity,
                1,
                exact.share_whole,
                coalesce(exact.decimals, 12),
                exact.rounding
            )
    end as quantity,
    exact.record_amount,
    exact.id_hash
from exact
