-- paid_quantity: what is priced, after conversion and without what is free?
--
-- grain:  contract_item_id, cycle_start, price_id, group_key
-- reads:  billable_usage, price_modifier, shared_price, priced_cycle
-- rule:   quantity x factor / divisor, rounded to whole units where declared;
--         then what is free comes off; negative usage is left as it is; the
--         versions of a price within a cycle share what is free and the blocks of
--         one size that are begun; where tiers go on they begin after what
--         earlier prices of the cycle priced; a quantity of more than 20 digits
--         before the point is not priced, and the check tier_quantity parks its
--         customer: a sum has 26, so that a million of them has room

with exact as (
    select
        billable_usage.contract_item_id,
        billable_usage.cycle_start,
        billable_usage.price_id,
        billable_usage.group_key,
        case
            when price_modifier.price_id is null
                then billable_usage.billable_quantity
            when price_modifier.convert_rounding = 'none'
                then try_prorate(
                    billable_usage.billable_quantity,
                    price_modifier.convert_factor,
                    price_modifier.convert_divisor
                )
            else
                try_round_ratio(
                    billable_usage.billable_quantity,
                    price_modifier.convert_factor,
                    price_modifier.convert_divisor,
                    0,
                    price_modifier.convert_rounding
                )
        end as quantity,
        coalesce(price_modifier.free_quantity, 0) as free_quantity,
        price_modifier.block_quantity,
        coalesce(price_modifier.tiers_go_on, false) as tiers_go_on,
        case
            when
                price_modifier.zero_quantity = 'free'
                and billable_usage.billable_quantity = 0
                then cast(0 as decimal(38, 12))
            else billable_usage.record_amount
        end as record_amount,
        billable_usage.billing_period
    from billable_usage
    left join price_modifier
        on billable_usage.price_id = price_modifier.price_id
),

converted as (
    select exact.*
    from exact
    where abs(exact.quantity) < 100000000000000000000
),

-- What earlier versions of the cycle used of the free units is not free again.
version_in_order as (
    select
        converted.*,
        priced_cycle.version_number,
        sum(
            case when converted.free_quantity > 0 then converted.quantity end
        ) over (
            partition by
                converted.contract_item_id,
                converted.cycle_start,
                converted.group_key
            order by priced_cycle.version_number
            rows between unbounded preceding and current row
        ) as quantity_until, -- null: nothing is free
        case
            when shared_price.charge_model in ('per_unit', 'matrix')
                then converted.block_quantity
        end as shared_block
    from shared_price -- the few come first: without any, no usage is read for it
    inner join converted
        on shared_price.price_id = converted.price_id
    inner join priced_cycle
        on converted.contract_item_id = priced_cycle.contract_item_id
        and converted.cycle_start = priced_cycle.cycle_start
        and converted.price_id = priced_cycle.price_id
),

paid_version as (
    select
        version_in_order.*,
        -- Of the total until here, less that before, what is not free.
        version_in_order.quantity
        - greatest(
            least(version_in_order.quantity_until, version_in_order.free_quantity),
            0
        )
        + greatest(
            least(
                version_in_order.quantity_until - version_in_order.quantity,
                version_in_order.free_quantity
            ),
            0
        ) as paid_quantity
    from version_in_order
)

select
    paid_version.contract_item_id,
    paid_version.cycle_start,
    paid_version.price_id,
    paid_version.group_key,
    paid_version.paid_quantity as quantity,
    case
        when paid_version.tiers_go_on or paid_version.shared_block > 0
            then sum(paid_version.paid_quantity) over (
                partition by
                    paid_version.contract_item_id,
                    paid_version.cycle_start,
                    paid_version.group_key,
                    coalesce(paid_version.shared_block, 0)
                order by paid_version.version_number
                rows between unbounded preceding and 1 preceding
            )
    end as quantity_before,
    paid_version.shared_block as block_quantity,
    paid_version.record_amount,
    paid_version.billing_period
from paid_version

union all

select
    converted.contract_item_id,
    converted.cycle_start,
    converted.price_id,
    converted.group_key,
    converted.quantity,
    cast(null as decimal(38, 12)) as quantity_before,
    converted.block_quantity,
    converted.record_amount,
    converted.billing_period
from converted
where not exists (
    select 1
    from shared_price
    where shared_price.price_id = converted.price_id
)
