-- contract_identifier: three cars for each fleet contract, else an account.
--
-- grain:  identifier_kind, identifier, valid_from
-- reads:  generated_contract
-- rule:   the third car of a customer's first contract moves to the second one
--         in the middle of September

with car as (
    select
        generated_contract.contract_number,
        generated_contract.contract_id,
        generated_contract.valid_from,
        generated_contract.valid_to,
        unnest(make_array(0, 1, 2)) as car_number
    from generated_contract
    where generated_contract.business = 'fleet'
),

assigned as (
    select
        'vin' as identifier_kind,
        concat(
            'MHZ',
            lpad(cast(car.contract_number * 3 + car.car_number as varchar), 14, '0')
        ) as identifier,
        car.contract_id,
        car.valid_from,
        case
            when car.contract_number % 8 = 0 and car.car_number = 2
                then '2026-09-16T00:00:00+02:00'
            else car.valid_to
        end as valid_to
    from car

    union all

    select
        'vin' as identifier_kind,
        concat(
            'MHZ',
            lpad(cast(car.contract_number * 3 + car.car_number as varchar), 14, '0')
        ) as identifier,
        replace(car.contract_id, '-a', '-b') as contract_id,
        '2026-09-16T00:00:00+02:00' as valid_from,
        car.valid_to
    from car
    where car.contract_number % 8 = 0 and car.car_number = 2

    union all

    select
        'account_id' as identifier_kind,
        concat('account-', generated_contract.contract_id) as identifier,
        generated_contract.contract_id,
        generated_contract.valid_from,
        generated_contract.valid_to
    from generated_contract
    where
        generated_contract.business in ('api', 'storage', 'phone', 'charging')
)

select
    assigned.identifier_kind,
    assigned.identifier,
    assigned.contract_id,
    assigned.valid_from,
    assigned.valid_to
from assigned
order by
    assigned.identifier_kind,
    assigned.identifier,
    assigned.valid_from
