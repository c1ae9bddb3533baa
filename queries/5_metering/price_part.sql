-- price_part: where does the price change within a part of a split record?
--
-- grain:  landing_sequence, contract_item_id, part_number
-- reads:  guided_usage, price
-- rule:   a part is cut where a price begins or ends, in proportion to time, and
--         its pieces sum to it; all parts of its record are here then, since the
--         numbers of those behind it move on; late usage that counts in another
--         cycle counts where that begins, so there it is not cut

with price_change as (
    select
        price.product_id,
        price.valid_from as changes_at
    from price

    union

    select
        price.product_id,
        price.valid_to as changes_at
    from price
    where price.valid_to is not null
),

crossing as (
    select distinct
        guided_usage.landing_sequence,
        guided_usage.contract_item_id
    from guided_usage
    inner join price_change
        on guided_usage.product_id = price_change.product_id
        and guided_usage.usage_start < price_change.changes_at
        and guided_usage.part_end > price_change.changes_at
    where guided_usage.part_end is not null
),

in_order as (
    select
        guided_usage.landing_sequence,
        guided_usage.contract_item_id,
        guided_usage.part_number,
        guided_usage.cycle_start,
        guided_usage.usage_start,
        guided_usage.part_end,
        price_change.changes_at,
        row_number() over part_order as change_number,
        lag(price_change.changes_at) over part_order as change_before,
        lead(price_change.changes_at) over part_order as change_after,
        guided_usage.product_id,
        guided_usage.quantity,
        guided_usage.record_price,
        guided_usage.price_share,
        guided_usage.is_closed
    from crossing
    inner join guided_usage
        on crossing.landing_sequence = guided_usage.landing_sequence
        and crossing.contract_item_id = guided_usage.contract_item_id
    left join price_change
        on guided_usage.product_id = price_change.product_id
        and guided_usage.usage_start < price_change.changes_at
        and guided_usage.part_end > price_change.changes_at
    where guided_usage.part_end is not null
    window part_order as (
        partition by
            guided_usage.landing_sequence,
            guided_usage.contract_item_id,
            guided_usage.part_number
        order by price_change.changes_at
    )
),

-- Each change ends a piece, and the last one begins another.
piece as (
    select
        in_order.landing_sequence,
        in_order.contract_item_id,
        in_order.part_number,
        in_order.cycle_start,
        in_order.usage_start,
        in_order.part_end,
        in_order.changes_at,
        in_order.change_number,
        in_order.change_before,
        unnest(
            case
                when in_order.changes_at is null then [1]
                when in_order.change_after is null
                    then [in_order.change_number, in_order.change_number + 1]
                else [in_order.change_number]
            end
        ) as piece_number,
        in_order.product_id,
        in_order.quantity,
        in_order.record_price,
        in_order.price_share,
        in_order.is_closed
    from in_order
),

timed as (
    select
        piece.landing_sequence,
        piece.contract_item_id,
        piece.part_number,
        piece.piece_number,
        piece.cycle_start,
        piece.usage_start,
        piece.part_end,
        piece.changes_at is null as is_whole,
        case
            when piece.piece_number > piece.change_number
                then piece.changes_at
            else coalesce(piece.change_before, piece.usage_start)
        end as piece_start,
        case
            when piece.piece_number > piece.change_number
                then piece.part_end
            else coalesce(piece.changes_at, piece.part_end)
        end as piece_end,
        piece.product_id,
        piece.quantity,
        piece.record_price,
        piece.price_share,
        piece.is_closed
    from piece
),

shared as (
    select
        timed.landing_sequence,
        timed.contract_item_id,
        timed.part_number,
        timed.piece_number,
        timed.cycle_start,
        timed.piece_start,
        timed.piece_end,
        timed.is_whole,
        -- Time from the start of the part [microseconds].
        cast(timed.piece_start as bigint)
        - cast(timed.usage_start as bigint) as elapsed_before,
        cast(timed.piece_end as bigint)
        - cast(timed.usage_start as bigint) as elapsed_until,
        cast(timed.part_end as bigint)
        - cast(timed.usage_start as bigint) as elapsed_whole,
        timed.product_id,
        timed.quantity,
        timed.record_price,
        timed.price_share,
        timed.is_closed
    from timed
)

select
    shared.landing_sequence,
    shared.contract_item_id,
    -- Every piece that is more moves the parts behind it on by one.
    cast(
        shared.part_number
        + sum(case when shared.piece_number > 1 then 1 else 0 end) over (
            partition by shared.landing_sequence, shared.contract_item_id
            order by shared.part_number, shared.piece_number
            rows between unbounded preceding and current row
        ) as integer
    ) as part_number,
    shared.cycle_start,
    shared.piece_start as usage_start,
    shared.piece_end as part_end,
    case when shared.piece_number = 1 then shared.part_number end
        as guided_part,
    shared.product_id,
    case
        when shared.is_whole then shared.quantity
        else
            prorate(
                shared.quantity, shared.elapsed_until, shared.elapsed_whole
            )
            - prorate(
                shared.quantity, shared.elapsed_before, shared.elapsed_whole
            )
    end as quantity,
    shared.record_price,
    case
        when shared.is_whole then shared.price_share
        else
            prorate(
                shared.price_share, shared.elapsed_until, shared.elapsed_whole
            )
            - prorate(
                shared.price_share, shared.elapsed_before, shared.elapsed_whole
            )
    end as price_share,
    shared.is_closed
from shared
