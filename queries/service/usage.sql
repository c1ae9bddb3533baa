-- usage: what has a contract used, by the hour, the day or the month?
--
-- grain:  used_in, usage_type, contract_item_id, unit
-- reads:  counted_usage, contract_item, contract
-- rule:   what begins in [$used_from, $used_to) and counts; a record that several
--         items meter counts in each, in the unit of the item; days and months are
--         those of the contract's time zone, hours those of UTC

with counted as (
    select
        case
            when cast($granularity as varchar) = 'month'
                then local_period(counted_usage.usage_start, contract.time_zone)
            when cast($granularity as varchar) = 'day'
                then cast(
                    local_date(counted_usage.usage_start, contract.time_zone)
                    as varchar
                )
            else cast(date_trunc('hour', counted_usage.usage_start) as varchar)
        end as used_in,
        counted_usage.usage_type,
        case
            when cast($group_by as varchar) = 'contract_item'
                then contract_item.contract_item_id
        end as contract_item_id,
        coalesce(contract_item.unit, counted_usage.unit) as unit,
        counted_usage.quantity
    from contract
    inner join contract_item
        on contract.contract_id = contract_item.contract_id
    inner join counted_usage
        on contract_item.contract_item_id = counted_usage.contract_item_id
    where
        contract.contract_id = cast($contract_id as varchar)
        and counted_usage.usage_start >= $used_from
        and counted_usage.usage_start < $used_to
)

select
    counted.used_in,
    counted.usage_type,
    counted.contract_item_id,
    counted.unit,
    count(*) as parts,
    sum(counted.quantity) as quantity
from counted
group by
    counted.used_in,
    counted.usage_type,
    counted.contract_item_id,
    counted.unit
order by
    counted.used_in,
    counted.usage_type,
    counted.contract_item_id,
    counted.unit
