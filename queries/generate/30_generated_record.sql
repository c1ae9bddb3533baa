-- generated_record: which contract does each generated record belong to?
--
-- grain:  record_number
-- reads:  record_number
-- rule:   records arrive evenly over the months up to November 2026; one in 97
--         is four weeks late; one in 101 repeats the record before it, one in
--         499 with another quantity
--
-- Not a file of its own: `usage` reads it.

with arrival as (
    select
        record_number.value as record_number,
        case
            when record_number.value % 101 = 7 then record_number.value - 1
            when record_number.value % 499 = 11 then record_number.value - 1
            else record_number.value
        end as original_number,
        record_number.value % 499 = 11 as is_conflict,
        to_unixtime(
            case cast($months as bigint)
                when 1 then timestamp '2026-10-01T00:00:00'
                when 2 then timestamp '2026-09-01T00:00:00'
                else timestamp '2026-08-01T00:00:00'
            end
        ) as time_from
    from record_number
),

timed as (
    select
        arrival.record_number,
        arrival.original_number,
        arrival.is_conflict,
        arrival.time_from
        + arrival.record_number * (1793491200 - arrival.time_from) / $records
            as arrival_seconds,
        arrival.time_from
        + arrival.original_number * (1793491200 - arrival.time_from) / $records
            as original_seconds,
        abs(row_hash('contract', arrival.original_number)) as contract_hash,
        abs(row_hash('amount', arrival.original_number)) as amount_hash
    from arrival
),

chosen as (
    select
        timed.record_number,
        timed.original_number,
        timed.is_conflict,
        timed.arrival_seconds,
        timed.original_seconds
        - timed.amount_hash % 3600
        - case when timed.original_number % 97 = 3 then 2419200 else 0 end
            as start_seconds,
        8 + timed.contract_hash % ($contracts - 8) as contract_number,
        timed.amount_hash
    from timed
)

select
    chosen.record_number,
    chosen.original_number,
    chosen.is_conflict,
    chosen.arrival_seconds,
    chosen.start_seconds,
    -- Who has no usage, or is not in force yet or any more, gives the record to
    -- the block's neighbour.
    case
        when chosen.contract_number % 8 = 5 then chosen.contract_number - 1
        when
            chosen.contract_number / 8 % 7 = 3
            and chosen.start_seconds < 1786975200
            then chosen.contract_number + 8
        when
            chosen.contract_number / 8 % 11 = 5
            and chosen.start_seconds > 1792454400
            then chosen.contract_number + 8
        else chosen.contract_number
    end as contract_number,
    chosen.amount_hash
from chosen
