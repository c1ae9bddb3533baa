-- Days that are not like others of their weekday.
create table holiday (
    holiday_calendar varchar not null comment 'whose holidays',
    holiday_date date not null comment 'local day',
    holiday_name varchar not null comment 'for the reader',
    primary key (holiday_calendar, holiday_date)
);
