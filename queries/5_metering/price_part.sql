-- price_part: where does the price change within a part of a split record?
--
-- grain:  landing_sequence, contract_item_id, part_number
-- reads:  guided_usage, price
-- rule:   a part is cut where a price begins or ends, in proportion to time, and
--         its pieces sum to it; all parts of its record are here then, since the
--         numbers of those behind it move on; late usage that counts in another
--         cycle counts where that begins, so there it is not cut

-- A part begins a piece, and so does each change within it; null is the part's own.
with piece_start as (
    select
        price.product_id,
        price.valid_from as changes_at
    from price

    union

    select
        price.product_id,
        price.valid_to as changes_at
    from price

    union

    select
        price.product_id,
        cast(null as timestamp) as changes_at
    from price
),

crossing as (
    select distinct
        guided_usage.landing_sequence,
        guided_usage.contract_item_id
    from guided_usage
    inner join piece_start
        on guided_usage.product_id = piece_start.product_id
        and guided_usage.usage_start < piece_start.changes_at
        and guided_usage.part_end > piece_start.changes_at
    where guided_usage.part_end is not null
),

piece as (
    select
        guided_usage.landing_sequence,
        guided_usage.contract_item_id,
        guided_usage.part_number,
        guided_usage.cycle_start,
        guided_usage.usage_start,
        guided_usage.part_end,
        coalesce(piece_start.changes_at, guided_usage.usage_start)
            as piece_start,
        guided_usage.product_id,
        guided_usage.quantity,
        guided_usage.record_price,
        guided_usage.price_share,
        guided_usage.is_closed,
        guided_usage.billing_period
    from crossing
    inner join guided_usage
        on crossing.landing_sequence = guided_usage.landing_sequence
        and crossing.contract_item_id = guided_usage.contract_item_id
    inner join piece_start
        on guided_usage.product_id = piece_start.product_id
        and (
            piece_start.changes_at is null
            or (
                guided_usage.usage_start < piece_start.changes_at
                and guided_usage.part_end > piece_start.changes_at
            )
        )
    where guided_usage.part_end is not null
),

timed as (
    select
        piece.*,
        row_number() over in_part as piece_number,
        coalesce(lead(piece.piece_start) over in_part, piece.part_end)
            as piece_end
    from piece
    window in_part as (
        partition by
            piece.landing_sequence,
            piece.contract_item_id,
            piece.part_number
        order by piece.piece_start
    )
),

shared as (
    select
        timed.*,
        timed.piece_number = 1 and timed.piece_end = timed.part_end as is_whole,
        -- Time from the start of the part [microseconds].
        cast(timed.piece_start as bigint)
        - cast(timed.usage_start as bigint) as elapsed_before,
        cast(timed.piece_end as bigint)
        - cast(timed.usage_start as bigint) as elapsed_until,
        cast(timed.part_end as bigint)
        - cast(timed.usage_start as bigint) as elapsed_whole
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
    shared.is_closed,
    shared.billing_period
from shared
