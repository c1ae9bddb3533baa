-- Quotas of a contract that are burnt down by usage, grant after grant.
create table grant_account (
    contract_id varchar not null comment 'the contract',
    quota_id varchar not null comment 'the quota that its items draw from',
    opened_at timestamp not null comment 'usage from here on burns grants, inclusive',
    opening_overage decimal(38, 12) not null default 0 comment 'usage from before that no grant has paid [unit]',
    primary key (contract_id, quota_id)
);
