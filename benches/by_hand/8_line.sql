-- line: what does each customer owe for what?

create table line as
with tier as (
    select
        price_id,
        cast(tier_number as integer) as tier_number,
        cast(quantity_from as decimal(38, 12)) as quantity_from,
        cast(quantity_to as decimal(38, 12)) as quantity_to,
        cast(unit_amount as decimal(18, 6)) as unit_amount,
        cast(flat_amount as decimal(18, 6)) as flat_amount
    from csv('price_tier')
),

billable as (
    select
        metered_usage.*,
        coalesce(included_quantity, 0) as included_quantity,
        quantity - coalesce(included_quantity, 0) as billable_quantity
    from metered_usage
    left join drawn using (charge_number)
),

tiered as (
    select
        charge_number,
        sum(tier.flat_amount + cast(tier.unit_amount * if(
            charge_model = 'volume',
            billable_quantity,
            least(billable_quantity, quantity_to)
            - least(billable_quantity, quantity_from)
        ) as decimal(38, 12))) as amount
    from billable
    inner join tier
        on billable.price_id = tier.price_id
        and (billable_quantity > quantity_from or tier_number = 1)
        and (
            charge_model = 'graduated'
            or quantity_to is null
            or billable_quantity <= quantity_to
        )
    where charge_model in ('graduated', 'volume')
    group by charge_number
),

charged as (
    select
        billable.*,
        cast(case charge_model
            when 'per_unit' then cast(billable_quantity * unit_amount as decimal(38, 12))
            when 'record_price' then record_amount
            when 'flat' then case
                when proration = 'days' then share(
                    flat_amount,
                    local_day(charge_to, time_zone) - local_day(charge_from, time_zone),
                    local_day(full_end, time_zone) - local_day(full_start, time_zone)
                )
                when is_first_price then flat_amount
                else 0
            end
            else tiered.amount
        end as decimal(38, 12)) as amount_exact
    from billable
    left join tiered using (charge_number)
)

select
    line_key(contract_item_id, cycle_start, price_id) as line_id,
    customer_id,
    contract_id,
    contract_item_id,
    cycle_start,
    cycle_end,
    price_id,
    case
        when charge_model = 'flat' then 'fee'
        when quota_id is not null then 'overage'
        else 'usage'
    end as line_type,
    description,
    record_count,
    quantity,
    included_quantity,
    billable_quantity,
    unit,
    amount_exact,
    rounded(amount_exact, decimals, rounding) as amount,
    currency,
    billing_period
from charged
inner join csv('currency') using (currency)
where record_count > 0 or amount_exact <> 0;

create table minimum_line as
with reached as (
    select contract_id, cycle_start, sum(amount) as amount
    from line
    group by contract_id, cycle_start
),

owed as (
    select
        cycle.*,
        cast(fee.amount as decimal(38, 12)) - coalesce(reached.amount, 0)
            as amount_exact
    from contract_cycle as cycle
    inner join csv('minimum_fee') as fee
        on cycle.contract_id = fee.contract_id
        and cycle_end > starts(fee.valid_from)
        and cycle_end <= ends(fee.valid_to)
    left join reached
        on cycle.contract_id = reached.contract_id
        and cycle.cycle_start = reached.cycle_start
)

select
    line_key(contract_id, cycle_start, 'minimum_fee') as line_id,
    customer_id,
    contract_id,
    cycle_start,
    cycle_end,
    'minimum_fee' as line_type,
    'Minimum fee, remaining part' as description,
    0 as record_count,
    0 as quantity,
    0 as included_quantity,
    0 as billable_quantity,
    amount_exact,
    rounded(amount_exact, decimals, rounding) as amount,
    currency,
    billing_period
from owed
inner join csv('currency') using (currency)
where amount_exact > 0;

copy (from line union all by name from minimum_line)
to 'invoice_line.parquet' (compression zstd, compression_level 1);
