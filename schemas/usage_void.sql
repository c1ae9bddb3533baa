-- Records that never were, as a list kept under review; taken off it, a record
-- counts again. `meterhouse void` does the same without a list.
create table usage_void (
    source varchar not null default 'usage' comment 'where the record is from',
    transaction_id varchar not null comment 'its id there',
    usage_start timestamp comment 'of several records with this id, the one of this time; null: all',
    replaced_by varchar comment 'transaction_id of the record that amends it',
    reason varchar not null comment 'why'
);
