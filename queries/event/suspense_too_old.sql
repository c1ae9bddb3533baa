-- suspense_too_old: has usage waited longer than `close_limit` allows?
--
-- grain:  event_key
-- reads:  waiting_age, close_limit

select
    make_array(
        close_limit.limit_name, cast(close_limit.limit_value as varchar)
    ) as event_key,
    close_limit.limit_name,
    close_limit.limit_value,
    waiting_age.found as days,
    waiting_age.oldest_start
from waiting_age
inner join close_limit
    on waiting_age.limit_name = close_limit.limit_name
    and waiting_age.found > close_limit.limit_value
