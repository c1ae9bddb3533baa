-- fee_gap: when fees had no price, so that nothing was charged
select
    unpriced_fee.product_id,
    unpriced_fee.gap_from,
    unpriced_fee.gap_to,
    unpriced_fee.items,
    unpriced_fee.one_of_them
from unpriced_fee
where unpriced_fee.gap_from < $as_of
order by
    unpriced_fee.product_id,
    unpriced_fee.gap_from
