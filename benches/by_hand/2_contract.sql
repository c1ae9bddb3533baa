-- contract: the cycles of each contract, and whose an identifier is.
--
-- rule: the calendars are few, so their boundaries are made once, and contracts are cut
--       out of them

create table calendar as
with kind as (
    select distinct
        cycle_interval,
        cycle_anchor,
        time_zone,
        cast(coalesce(
            cycle_anchor, if(cycle_interval = 'week', '1970-01-05', '1970-01-01')
        ) as date) as anchor,
        case cycle_interval
            when 'month' then 1
            when 'quarter' then 3
            when 'year' then 12
            else 0
        end as months,
        if(cycle_interval = 'week', 7, 0) as days
    from csv('contract')
),

-- A cycle has 28 to 31 days a month: so many at most lie between two days.
numbered as (
    select
        kind.*,
        cast(unnest(range(
            (first_day - anchor) // (months * 31 + days) - 2,
            (cast(as_of() as date) - anchor) // (months * 28 + days) + 3
        )) as integer) as number
    from kind
    cross join (
        select cast(min(starts(valid_from)) as date) as first_day from csv('contract')
    )
)

select
    cycle_interval,
    cycle_anchor,
    time_zone,
    timezone(
        time_zone, anchor + to_months(months * number) + to_days(days * number)
    ) as full_start,
    lead(full_start) over (
        partition by cycle_interval, cycle_anchor, time_zone order by number
    ) as full_end
from numbered;

create table contract_cycle as
with contract as (
    select
        *,
        instant(valid_from, time_zone) as starts_at,
        coalesce(instant(valid_to, time_zone), timestamptz 'infinity') as ends_at
    from csv('contract')
)

select
    contract_id,
    customer_id,
    currency,
    contract.time_zone,
    full_start,
    full_end,
    starts_at,
    ends_at,
    greatest(full_start, starts_at) as cycle_start,
    least(full_end, ends_at) as cycle_end,
    local_month(cycle_end - interval '1 microsecond', contract.time_zone)
        as billing_period
from contract
inner join calendar
    on contract.cycle_interval = calendar.cycle_interval
    and contract.time_zone = calendar.time_zone
    and contract.cycle_anchor is not distinct from calendar.cycle_anchor
    and full_start < ends_at
    and full_end > starts_at
where full_start <= as_of() and starts_at <= as_of();

create table contract as
select
    cast(row_number() over () as integer) as contract_number,
    contract_id,
    starts_at as valid_from,
    ends_at as valid_to,
    max(cycle_end) as cycles_to
from contract_cycle
group by contract_id, starts_at, ends_at;

-- A contract's own id is an identifier, too; number 0 is a contract that is not known.
create table identifier as
select
    identifier_kind,
    identifier,
    coalesce(contract_number, 0) as contract_number,
    starts(named.valid_from) as valid_from,
    ends(named.valid_to) as valid_to
from csv('contract_identifier') as named
left join contract using (contract_id)
union all
select
    'contract_id',
    contract_id,
    contract_number,
    timestamptz '-infinity',
    timestamptz 'infinity'
from contract;
