-- What a contract has in advance and burns down, grant after grant: a quantity of
-- a quota, burnt by usage, or with a currency credits, burnt by invoice lines in it.
create table grant_account (
    contract_id varchar not null references contract (contract_id) comment 'the contract',
    quota_id varchar not null comment 'the quota that its items draw from; of credits: their name',
    quota_scope varchar not null default 'contract' comment 'who burns it: contract, or customer, all contracts of its customer',
    currency varchar references currency (currency) comment 'ISO 4217 code',
    overage varchar not null default 'carried' comment 'usage that no grant has paid when a cycle ends: carried (to the next balance, it has no price) or charged (in its cycle)',
    limit_type varchar not null default 'soft' comment 'once nothing is left: soft (access stays), or hard (has_access in entitlement_status is false)',
    opened_at timestamp not null comment 'usage from here on burns grants, inclusive',
    opening_overage decimal(32, 12) not null default 0 comment 'usage from before that no grant has paid [unit]',
    check (quota_scope in ('contract', 'customer')),
    check (overage in ('carried', 'charged')),
    check (limit_type in ('soft', 'hard')),
    check (opening_overage = 0 or (overage = 'carried' and currency is null)),
    primary key (contract_id, quota_id)
);
