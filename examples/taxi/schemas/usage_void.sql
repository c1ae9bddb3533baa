-- Trips that a record with negative amounts takes back.
create table usage_void (
    source varchar not null default 'usage' comment 'where the record is from',
    transaction_id varchar not null comment 'its id there',
    usage_start timestamp comment 'of several records with this id, the one of this time; null: all',
    replaced_by varchar comment 'transaction_id of the record that amends it',
    reason varchar not null comment 'why',
    primary key (source, transaction_id)
);
