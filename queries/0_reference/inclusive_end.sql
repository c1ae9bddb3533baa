-- inclusive_end: which rows end a second or a day too early, since somebody wrote
-- an inclusive end?
--
-- grain:  table_name, row_id, ends_at
-- reads:  term
-- rule:   what ends in the last second of a quarter of an hour, where every day
--         of every zone ends; a day before the next row for the same begins; or,
--         of contracts, as the last day of a month begins; listed, and rated as
--         it is written

with ended as (
    select
        term.table_name,
        term.row_id,
        term.series,
        term.valid_to,
        local_time(term.valid_to, term.time_zone) as local_end,
        local_time(term.valid_to, term.time_zone) + interval '1 day' as next_day
    from term
    where
        term.valid_to is not null
        -- What ends so far away is open, and `date_trunc` ends with 2262.
        and extract(year from term.valid_to) < 2200
),

followed as (
    select
        ended.table_name,
        ended.row_id,
        ended.valid_to,
        min(term.valid_from) as next_valid_from
    from ended
    inner join term
        on ended.table_name = term.table_name
        and ended.series = term.series
        and ended.valid_to < term.valid_from
        and ended.valid_to + interval '25 hours' >= term.valid_from
    where not exists (
        select 1
        from term as other
        where
            other.table_name = ended.table_name
            and other.series = ended.series
            and other.valid_from <= ended.valid_to
            and (other.valid_to is null or other.valid_to > ended.valid_to)
    )
    group by
        ended.table_name,
        ended.row_id,
        ended.valid_to
),

found as (
    select
        ended.table_name,
        ended.row_id,
        ended.valid_to,
        followed.next_valid_from,
        cast(ended.valid_to as bigint) % 900000000 as microseconds,
        ended.local_end = date_trunc('day', ended.local_end)
        and ended.next_day = date_trunc('month', ended.next_day)
            as is_last_day
    from ended
    left join followed
        on ended.table_name = followed.table_name
        and ended.row_id = followed.row_id
        and ended.valid_to = followed.valid_to
)

select
    found.table_name,
    found.row_id,
    found.valid_to as ends_at,
    case
        when found.next_valid_from is not null
            then 'ends before the next one begins'
        when found.microseconds >= 899000000
            then 'ends in the last second'
        else 'ends as the last day of a month begins'
    end as finding,
    case
        when found.next_valid_from is not null then found.next_valid_from
        when found.microseconds >= 899000000
            then date_trunc('second', found.valid_to) + interval '1 second'
        else found.valid_to + interval '1 day'
    end as write_instead
from found
where
    found.next_valid_from is not null
    or found.microseconds >= 899000000
    or found.is_last_day
