-- guiding: whose is each record, in which cycle and at which price, or why does it wait?
--
-- rule: at an instant an item has one cycle and one price, so one join finds all three;
--       a record of which one item has to wait waits as a whole

create table usage_filter as
select distinct usage_type from csv('usage_filter');

create table span as
select min(usage_start) as usage_from, max(usage_start) as usage_to from usage;

copy (
    with assigned as (
        select
            usage.*,
            case
                when usage.contract_id is not null then coalesce(named.contract_number, 0)
            end as named_number,
            coalesce(named_number <> account.contract_number, false)
            or coalesce(named_number <> car.contract_number, false)
            or coalesce(account.contract_number <> car.contract_number, false)
                as is_disputed,
            case
                when not is_disputed then coalesce(
                    named_number, account.contract_number, car.contract_number
                )
            end as contract_number
        from usage
        anti join duplicate
            on usage.landing_sequence = duplicate.landing_sequence
        anti join usage_filter
            on usage.usage_type = usage_filter.usage_type
        left join (from identifier where identifier_kind = 'contract_id') as named
            on usage.contract_id = named.identifier
        left join (from identifier where identifier_kind = 'account_id') as account
            on usage.account_id = account.identifier
            and usage.usage_start >= account.valid_from
            and usage.usage_start < account.valid_to
        left join (from identifier where identifier_kind = 'vin') as car
            on usage.vin = car.identifier
            and usage.usage_start >= car.valid_from
            and usage.usage_start < car.valid_to
    ),

    metered as (
        select
            landing_sequence,
            charge_number,
            contract_item_id,
            cycle_start,
            price_id,
            usage_start,
            assigned.usage_type,
            assigned.unit,
            billing_period,
            is_disputed,
            assigned.contract_number,
            assigned.contract_id is null and account_id is null and vin is null
                as is_anonymous,
            item.unit as item_unit,
            quantity_field,
            price_field,
            case quantity_field
                when 'quantity' then quantity
                when 'distance' then distance
                when 'records' then 1
            end as quantity,
            case when price_field is not null then unit_price end as record_price
        from assigned
        left join (
            from item_cycle, span
            where charge_to > usage_from and charge_from <= usage_to
        ) as item
            on assigned.contract_number = item.contract_number
            and assigned.usage_type = item.usage_type
            and usage_start >= charge_from
            and usage_start < charge_to
    )

    select
        landing_sequence,
        charge_number,
        contract_item_id,
        cycle_start,
        price_id,
        usage_start,
        usage_type,
        unit,
        quantity,
        record_price,
        billing_period,
        case
            when charge_number is null then case
                when is_anonymous then 'no identifier'
                when is_disputed then 'identifiers disagree'
                when metered.contract_number is null then 'identifier not assigned'
                when metered.contract_number = 0 then 'unknown contract'
                when usage_start < valid_from or usage_start >= valid_to
                    then 'contract not in force'
                when usage_start >= cycles_to then 'cycle not begun'
                else 'no contract item for usage type'
            end
            when quantity is null then 'no number in ' || quantity_field
            when quantity_field = 'quantity' and unit <> item_unit
                then 'unit is not ' || item_unit
            when price_field is not null and record_price is null
                then 'no number in ' || price_field
        end as suspense_reason
    from metered
    left join contract
        on contract.contract_number = case
            when charge_number is null then metered.contract_number
        end
) to 'guided_usage.parquet' (compression zstd, compression_level 1);

create table waiting as
select
    landing_sequence,
    min(suspense_reason) as suspense_reason,
    max(charge_number) as charge_number
from 'guided_usage.parquet'
where suspense_reason is not null
group by landing_sequence;

copy (
    select
        landing_sequence,
        source,
        transaction_id,
        usage_type,
        usage_start,
        unit,
        quantity,
        suspense_reason
    from usage
    inner join waiting using (landing_sequence)
) to 'suspense.parquet' (compression zstd, compression_level 1);

create view guided_usage as
from 'guided_usage.parquet' as guiding
anti join (from waiting where charge_number is not null) as partly
    on guiding.landing_sequence = partly.landing_sequence
where suspense_reason is null;
