-- The billing periods whose books are closed.
create table closed_period (
    billing_period varchar not null comment 'the month',
    close_number bigint not null comment 'counts up, from 1',
    closed_as_of timestamp not null comment 'the as-of of the run that closed it',
    closed_by varchar not null comment 'who',
    accepted varchar comment 'why it was closed though a guard refused; null: none did',
    primary key (billing_period)
);
