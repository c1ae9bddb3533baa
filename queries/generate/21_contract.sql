-- contract: a calendar and a currency for each line of business.
--
-- grain:  contract_id
-- reads:  generated_contract
-- rule:   weeks, months, quarters and years, by the calendar or by an anchor,
--         also one on the 31st and one on a leap day

select
    generated_contract.contract_id,
    generated_contract.customer_id,
    case generated_contract.business
        when 'api' then 'USD'
        when 'translation' then 'JPY'
        when 'support' then 'USD'
        when 'phone' then 'USD'
        else 'EUR'
    end as currency,
    case generated_contract.business
        when 'api' then 'America/New_York'
        when 'storage' then 'Europe/London'
        when 'translation' then 'Asia/Tokyo'
        when 'support' then 'America/Chicago'
        when 'phone' then 'America/Denver'
        when 'charging' then 'Europe/Paris'
        else 'Europe/Berlin'
    end as time_zone,
    case
        when generated_contract.business = 'storage' then 'week'
        when generated_contract.business <> 'support' then 'month'
        when generated_contract.block_number % 2 = 0 then 'quarter'
        else 'year'
    end as cycle_interval,
    case
        when generated_contract.business = 'api'
            then concat(
                '2026-01-',
                lpad(
                    cast(generated_contract.block_number % 31 + 1 as varchar),
                    2,
                    '0'
                )
            )
        when
            generated_contract.business = 'support'
            and generated_contract.block_number % 2 = 1
            then '2024-02-29'
        when generated_contract.business = 'phone' then '2026-01-31'
    end as cycle_anchor,
    generated_contract.valid_from,
    generated_contract.valid_to
from generated_contract
order by generated_contract.contract_id
