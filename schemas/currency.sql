-- How amounts of a currency are rounded: once, at the invoice line, or so that each
-- invoice comes to its exact sum, rounded once.
create table currency (
    currency varchar not null comment 'ISO 4217 code',
    decimals integer not null comment 'minor units: digits behind the point',
    rounding varchar not null comment 'half_up or half_even',
    rounding_level varchar not null default 'line' comment 'line: an invoice is the sum of its rounded lines; invoice: it has one more line, which makes it the exact sum, rounded once',
    check (decimals between 0 and 12),
    check (rounding in ('half_up', 'half_even')),
    check (rounding_level in ('line', 'invoice')),
    primary key (currency)
);
