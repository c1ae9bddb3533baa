-- word: the functions that the other files use.
--
-- Variables: `data` and `landed` are folders, `zone` is that of times without an offset,
-- and `as_of` the instant for which is billed. What is written goes to where the
-- program stands.
-- money: amounts are whole units of 12 decimals in between, so they are exact

create macro csv(name) as table
    from read_csv(
        getvariable('data') || '/**/' || name || '.csv',
        union_by_name = true,
        all_varchar = true
    );

create macro as_of() as cast(getvariable('as_of') as timestamptz);

create macro instant(text, zone) as case
    when regexp_matches(text, '(Z|[+-]\d\d:?\d\d)$') then cast(text as timestamptz)
    else timezone(zone, cast(text as timestamp))
end;

create macro starts(text) as instant(text, getvariable('zone'));

create macro ends(text) as
    coalesce(instant(text, getvariable('zone')), timestamptz 'infinity');

create macro local_day(instant, zone) as cast(timezone(zone, instant) as date);

create macro local_month(instant, zone) as strftime(timezone(zone, instant), '%Y-%m');

create macro line_key(id, instant, rest) as
    id || '/' || strftime(timezone('UTC', instant), '%Y-%m-%dT%H:%M/') || rest;

create macro to_units(amount) as cast(amount * 1000000000000 as hugeint);

create macro from_units(units) as cast(units as decimal(38, 0)) * 0.000000000001;

create macro share(amount, part, whole) as
    from_units((to_units(amount) * part * 2 + whole) // (2 * whole));

create macro rounded_units(units, unit, mode) as unit * (units // unit + case
    when units % unit * 2 > unit then 1
    when units % unit * 2 < unit then 0
    when mode = 'half_even' then units // unit % 2
    else 1
end);

create macro rounded(amount, decimals, mode) as from_units(rounded_units(
    to_units(amount), cast(power(10, 12 - cast(decimals as integer)) as hugeint), mode
));
