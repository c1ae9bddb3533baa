-- free_product: products that need no price, since an item gives them away.
--
-- grain:  product_id
-- reads:  contract_item
-- rule:   unpriced_usage is free

select contract_item.product_id
from contract_item
where contract_item.unpriced_usage = 'free'
