-- One thing a contract charges for: a metric of a usage type, or a fee.
create table contract_item (
    contract_item_id varchar not null comment 'the item',
    contract_id varchar not null comment 'its contract',
    product_id varchar not null comment 'what is priced, see price',
    description varchar not null comment 'as on the invoice line',
    usage_type varchar comment 'the usage it meters; null: a fee',
    quantity_field varchar comment 'field of the record that is its quantity; records: each counts one; seconds: its length',
    price_field varchar comment 'field of the record that is its price; null: by the price list',
    unit varchar comment 'unit of the quantity',
    quota_id varchar comment 'the quota it draws from; null: none',
    quota_scope varchar not null default 'contract' comment 'contract: a quota of its own; customer: pooled over the customer''s contracts',
    draw_order integer not null default 1 comment 'who draws first from a shared quota',
    unpriced_usage varchar not null default 'suspend' comment 'without a price in force: free (but listed) or suspend',
    usage_shown varchar not null default 'full' comment 'what the invoicing system gets: full or overage',
    valid_from timestamp not null comment 'in force from, inclusive',
    valid_to timestamp comment 'in force to, exclusive; null: open',
    check (usage_type is null or quantity_field is not null),
    check (quota_scope in ('contract', 'customer')),
    check (unpriced_usage in ('free', 'suspend')),
    check (usage_shown in ('full', 'overage')),
    check (valid_to > valid_from),
    primary key (contract_item_id)
);
