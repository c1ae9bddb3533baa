-- How amounts of a currency are rounded, once, at the invoice line.
create table currency (
    currency varchar not null comment 'ISO 4217 code',
    decimals integer not null comment 'minor units: digits behind the point',
    rounding varchar not null comment 'half_up or half_even',
    check (decimals between 0 and 12),
    check (rounding in ('half_up', 'half_even')),
    primary key (currency)
);
