-- duplicate: which records came again?
--
-- rule: the first one counts; the hash of an identity is enough to find the few that
--       come again, and those are compared in full

-- A join keeps the contracts in memory and not the usage, whatever is estimated.
set disabled_optimizers = 'build_side_probe_side';

create view usage as
from read_parquet(getvariable('landed') || '/usage_record/*.parquet');

create table again as
select hash(source, transaction_id) as identity
from usage
group by all
having count(*) > 1;

copy (
    select
        landing_sequence,
        first_value(landing_sequence) over arrival as original_landing_sequence,
        source,
        transaction_id,
        usage_type,
        unit,
        quantity,
        if(
            content = first_value(content) over arrival, 'identical', 'conflicting'
        ) as duplicate_kind
    from (
        select
            usage.*,
            hash(
                usage_type, usage_start, usage_end, contract_id, account_id, vin,
                quantity, unit, unit_price, distance, attributes
            ) as content
        from usage
        inner join again
            on hash(source, transaction_id) = identity
    )
    window arrival as (partition by source, transaction_id order by landing_sequence)
    qualify landing_sequence <> original_landing_sequence
) to 'duplicate.parquet' (compression zstd, compression_level 1);

create table duplicate as
select landing_sequence from 'duplicate.parquet';
