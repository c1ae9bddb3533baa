-- What a person decided about landed usage; a later decision follows an earlier
-- one, and none is ever changed.
create table usage_decision (
    decision_number bigint not null comment 'counts up, from 1',
    decision varchar not null comment 'hold, release, discard, void, write_off or restore',
    hold_name varchar comment 'hold, release, discard: the batch',
    landing_id bigint comment 'hold: the landing that waits',
    source varchar comment 'void, write_off, restore: where the record is from',
    transaction_id varchar comment 'its id there',
    replaced_by varchar comment 'void: the transaction_id of the record that amends it',
    reason varchar not null comment 'why',
    decided_by varchar not null comment 'who',
    decided_at timestamp not null comment 'when',
    usage_start timestamp comment 'void, write_off, restore: of several records with this id, the one of this time; null: all',
    last_landing_sequence bigint comment 'void, write_off, restore: the last record with this id that had landed; what came later is not meant; null: all are',
    check (decision in ('hold', 'release', 'discard', 'void', 'write_off', 'restore')),
    check (decision not in ('hold', 'release', 'discard') or hold_name is not null),
    check (decision not in ('void', 'write_off', 'restore') or transaction_id is not null),
    primary key (decision_number)
);
