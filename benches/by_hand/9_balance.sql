-- balance: is each record in one place?

copy (
    select landing_id, 'received' as place, cast(sum(record_count) as bigint) as records
    from read_parquet(getvariable('landed') || '/landing/*.parquet')
    group by all
    union all
    select landing_sequence // 1000000000, 'rejected', count(*)
    from read_parquet(getvariable('landed') || '/usage_rejected/*.parquet')
    group by all
    union all
    select landing_sequence // 1000000000, 'duplicate', count(*)
    from duplicate
    group by all
    union all
    select landing_sequence // 1000000000, 'filtered', count(*)
    from usage
    semi join usage_filter
        on usage.usage_type = usage_filter.usage_type
    anti join duplicate
        on usage.landing_sequence = duplicate.landing_sequence
    group by all
    union all
    select landing_sequence // 1000000000, 'suspended', count(*)
    from 'suspense.parquet'
    group by all
    union all
    select landing_sequence // 1000000000, 'guided', count(distinct landing_sequence)
    from guided_usage
    group by all
) to 'balance.parquet' (compression zstd, compression_level 1);

select error('lost or counted twice of landing ' || landing_id || ': ' || lost)
from (
    select landing_id, sum(if(place = 'received', records, -records)) as lost
    from 'balance.parquet'
    group by landing_id
    having lost <> 0
);
