-- What the lines of a closed period would be now: with late usage and without
-- voided usage, under the queries, prices and contracts of its closing, or of the
-- day on which `rerate` rated it by others. Made again whenever that changes.
create table rerated_line (
    line_id varchar not null comment 'stable key: item, cycle, price and group',
    customer_id varchar not null comment 'who pays',
    contract_id varchar not null comment 'the contract',
    contract_item_id varchar comment 'the item; null: a minimum fee of the contract',
    cycle_start timestamp not null comment 'the cycle, inclusive',
    cycle_end timestamp not null comment 'exclusive',
    price_id varchar comment 'the price',
    group_key varchar not null comment 'the group of the metric as JSON; empty: none',
    line_type varchar not null comment 'fee, usage, overage, minimum_fee, credit, rounding or correction',
    description varchar not null comment 'as on the invoice',
    record_count bigint not null comment 'records behind it, or parts of them [records]',
    quantity decimal(38, 12) not null comment 'metered [unit]',
    included_quantity decimal(38, 12) not null comment 'covered by quota [unit]',
    billable_quantity decimal(38, 12) not null comment 'priced [unit]',
    unit varchar comment 'unit of the quantities',
    amount_exact decimal(38, 12) not null comment 'before rounding [currency]',
    amount decimal(38, 12) not null comment 'rounded as its currency declares [currency]',
    currency varchar not null comment 'ISO 4217 code',
    corrected_period varchar comment 'the closed period that it corrects; null: none',
    corrected_line_id varchar comment 'the line of that period',
    time_zone varchar not null comment 'of the contract when the line was made, IANA',
    usage_shown varchar not null comment 'what the invoicing system gets: full or overage',
    purchase_order varchar comment 'the customer''s purchase order',
    product_code varchar comment 'key of the product in the invoicing system',
    tax_category varchar comment 'how the invoicing system taxes it',
    gl_account varchar comment 'general ledger account of the revenue',
    billing_period varchar not null comment 'the month it is billed in',
    primary key (line_id)
) partitioned by (billing_period);
