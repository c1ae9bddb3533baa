-- customer: the customers of a generated sample.
--
-- grain:  customer_id
-- reads:  generated_contract

select distinct
    generated_contract.customer_id,
    concat(
        case generated_contract.business
            when 'fleet' then 'Car Sharing '
            when 'api' then 'Web Works '
            when 'storage' then 'Backup House '
            when 'translation' then 'Translators '
            when 'support' then 'Enterprise '
            when 'phone' then 'Call Centre '
            else 'Charging Park '
        end,
        cast(generated_contract.block_number as varchar)
    ) as customer_name
from generated_contract
order by generated_contract.customer_id
