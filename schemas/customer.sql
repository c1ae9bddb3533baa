-- Who receives invoices.
create table customer (
    customer_id varchar not null comment 'key in the invoicing system',
    customer_name varchar not null comment 'as on the invoice',
    primary key (customer_id)
);
