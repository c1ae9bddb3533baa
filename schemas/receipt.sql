-- What the invoicing system says it has booked. Of the receipts of one document
-- the last counts; none is ever changed.
create table receipt (
    receipt_number bigint not null comment 'counts up, from 1',
    billing_period varchar not null comment 'the closed period that was handed over',
    customer_id varchar not null comment 'whose lines are booked',
    document_number varchar not null comment 'the invoice or other document, by its number there',
    amount decimal(38, 12) not null comment 'what the document has booked of the period, without tax [currency]',
    currency varchar not null comment 'ISO 4217 code',
    received_by varchar not null comment 'who said so',
    received_at timestamp not null comment 'when',
    primary key (receipt_number)
);
