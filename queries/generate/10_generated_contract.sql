-- generated_contract: who are the customers of a generated sample?
--
-- grain:  contract_id
-- reads:  contract_number
-- rule:   eight contracts make a block, one of each line of business; the
--         first block has no usage but that at the boundaries of its prices
--
-- Not a table of its own: the other queries of this folder read it.

with numbered as (
    select
        contract_number.value as contract_number,
        contract_number.value / 8 as block_number,
        case contract_number.value % 8
            when 0 then 'fleet'
            when 1 then 'fleet'
            when 2 then 'api'
            when 3 then 'storage'
            when 4 then 'translation'
            when 5 then 'support'
            when 6 then 'phone'
            else 'charging'
        end as business,
        case contract_number.value % 8
            when 0 then '-a'
            when 1 then '-b'
            else ''
        end as contract_suffix
    from contract_number
)

select
    numbered.contract_number,
    numbered.block_number,
    numbered.business,
    concat(
        numbered.business,
        '-',
        lpad(cast(numbered.block_number as varchar), 6, '0')
    ) as customer_id,
    concat(
        numbered.business,
        '-',
        lpad(cast(numbered.block_number as varchar), 6, '0'),
        numbered.contract_suffix
    ) as contract_id,
    concat(
        '2026-08-',
        -- One in seven signs in the middle of a month.
        case when numbered.block_number % 7 = 3 then '17' else '01' end,
        'T00:00:00',
        case numbered.business
            when 'api' then '-04:00'
            when 'storage' then '+01:00'
            when 'translation' then '+09:00'
            when 'support' then '-05:00'
            when 'phone' then '-06:00'
            else '+02:00'
        end
    ) as valid_from,
    -- One in eleven leaves in the middle of another.
    case
        when numbered.block_number % 11 = 5 then '2026-10-20T00:00:00Z'
    end as valid_to
from numbered
