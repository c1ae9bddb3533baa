-- usage: the records of a generated sample, in the files of their arrival.
--
-- grain:  file, record_number
-- reads:  generated_record
-- rule:   one in 307 is a test call, one in 401 ends before it starts, one in
--         211 names an identifier that nobody has

with described as (
    select
        generated_record.record_number,
        generated_record.original_number,
        generated_record.arrival_seconds,
        generated_record.start_seconds,
        generated_record.contract_number,
        generated_record.contract_number % 8 as business_number,
        case
            when generated_record.original_number % 211 = 13 then 'unknown'
            else lpad(
                cast(generated_record.contract_number / 8 as varchar), 6, '0'
            )
        end as block,
        generated_record.amount_hash,
        case when generated_record.is_conflict then 1 else 0 end as surplus
    from generated_record
)

select
    to_char(to_timestamp_seconds(described.arrival_seconds), '%Y-%m') as file,
    concat('gen-', lpad(cast(described.original_number as varchar), 9, '0'))
        as transaction_id,
    case
        when described.original_number % 307 = 5 then 'test_call'
        when described.business_number <= 1 then 'CarRentUsage'
        when described.business_number = 2 then 'api_call'
        when described.business_number = 3 then 'storage'
        when described.business_number = 4 then 'translation'
        when described.business_number = 6 then 'call'
        else 'charging'
    end as usage_type,
    to_char(
        to_timestamp_seconds(described.start_seconds), '%Y-%m-%dT%H:%M:%SZ'
    ) as usage_start,
    to_char(
        to_timestamp_seconds(
            described.start_seconds
            + case
                when described.original_number % 401 = 17 then -60
                else described.amount_hash % 7200
            end
        ),
        '%Y-%m-%dT%H:%M:%SZ'
    ) as usage_end,
    case described.business_number
        when 4 then concat('translation-', described.block)
    end as contract_id,
    case described.business_number
        when 2 then concat('account-api-', described.block)
        when 3 then concat('account-storage-', described.block)
        when 6 then concat('account-phone-', described.block)
        when 7 then concat('account-charging-', described.block)
    end as account_id,
    case
        when described.business_number > 1 then null
        when described.block = 'unknown' then 'MHZ-unknown'
        else concat(
            'MHZ',
            lpad(
                cast(
                    described.contract_number * 3
                    + described.amount_hash % 3 as varchar
                ),
                14,
                '0'
            )
        )
    end as vin,
    cast(
        case described.business_number
            when 2 then described.amount_hash % 12000 + described.surplus
            when 3 then (described.amount_hash % 9000) * 0.1 + described.surplus
            when 4 then described.amount_hash % 3000 + described.surplus
            when 6 then described.amount_hash % 120 + described.surplus
            when 7 then (described.amount_hash % 8000) * 0.01 + described.surplus
        end as decimal(12, 2)
    ) as quantity,
    case described.business_number
        when 2 then 'call'
        when 3 then 'GB-day'
        when 4 then 'word'
        when 6 then 'minute'
        when 7 then 'kWh'
    end as unit,
    case described.business_number
        when 4
            then cast(8 + described.amount_hash % 25 * 0.5 as decimal(6, 1))
    end as unit_price,
    case
        when described.business_number <= 1
            then cast(
                (described.amount_hash % 24000) * 0.01 + described.surplus
                as decimal(12, 2)
            )
    end as distance
from described
