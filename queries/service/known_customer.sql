-- known_customer: is there a customer of this id?
--
-- grain:  customer_id
-- reads:  customer

select customer.customer_id
from customer
where customer.customer_id = cast($customer_id as varchar)
