"""Small projects that are billed right: each is one customer with a contract, in tables of its own rows.

A small project is a `Case`: rows by table, and usage records. All of its names begin with its own prefix, so many of
them stand in one project side by side, and a message that names one of them is known to be about it.
"""

from dataclasses import dataclass, field

BEGIN, END = "2026-06-01T00:00:00Z", "2026-07-01T00:00:00Z"


@dataclass
class Case:
    """One customer, the rows that say what it owes, and its usage, which comes as NDJSON, JSON or CSV."""

    prefix: str
    model: str
    form: str
    tables: dict = field(default_factory=dict)
    usage: list = field(default_factory=list)

    def add(self, table, **row):
        self.tables.setdefault(table, []).append({name: value for name, value in row.items() if value is not None})

    def name(self, word):
        return f"{self.prefix}-{word}"

    def use(self, day, quantity, **fields):
        """A record on a day of June."""
        self.usage.append({
            "transaction_id": self.name(f"r{len(self.usage)}"), "usage_type": self.name("usage"),
            "usage_start": f"2026-06-{day:02}T08:{len(self.usage) % 60:02}:00Z", "contract_id": self.name("contract"),
            "quantity": quantity, **fields,
        })

    def item(self, word="item", **row):
        self.add("contract_item", **{
            "contract_item_id": self.name(word), "contract_id": self.name("contract"), "product_id": self.name("product"),
            "description": "Item", "usage_type": self.name("usage"), "quantity_field": "quantity", "valid_from": BEGIN, **row,
        })

    def price(self, model, word="price", **row):
        self.add("price", **{
            "price_id": self.name(word), "product_id": self.name("product"), "charge_model": model, "valid_from": "2026-01-01",
            **row,
        })


def amount(random):
    return f"{random.randrange(1, 900)}.{random.randrange(100):02}"


def quantity(random):
    return f"{random.randrange(1, 60)}.{random.choice(['5', '25', '0', '125'])}"


def records(case, random, **fields):
    for _ in range(random.randrange(2, 5)):
        case.use(random.randrange(1, 29), quantity(random), **{
            name: value(random) if callable(value) else value for name, value in fields.items()
        })


def one_of(*values):
    return lambda random: random.choice(values)


def tiers(case, random, **row):
    first, second = random.randrange(5, 20), random.randrange(30, 60)
    bounds = [("0", first), (first, second), (second, None)]
    for number, (low, high) in enumerate(bounds, 1):
        case.add("price_tier", price_id=case.name("price"), tier_number=number, quantity_from=low, quantity_to=high,
                 unit_amount=amount(random), **row)


def per_unit(case, random):
    case.item(unit="km")
    case.price("per_unit", unit_amount=amount(random))
    records(case, random, unit="km")


def versions(case, random):
    case.item()
    case.price("per_unit", "price", unit_amount=amount(random), valid_to="2026-06-15")
    case.price("per_unit", "later", unit_amount=amount(random), valid_from="2026-06-15")
    case.use(3, quantity(random))
    case.use(14, quantity(random))
    case.use(20, quantity(random))


def graduated(case, random):
    case.item()
    case.price(random.choice(["graduated", "volume", "record_graduated"]))
    tiers(case, random)
    records(case, random)


def package(case, random):
    case.item()
    case.price("per_unit", unit_amount=amount(random))
    case.add("price_modifier", price_id=case.name("price"), free_quantity=random.randrange(1, 9), block_quantity=10,
             discount_percent=random.choice([0, 15, 50]))
    records(case, random)


def minimum(case, random):
    case.item()
    case.price("per_unit", unit_amount="0.01")
    case.add("price_modifier", price_id=case.name("price"), minimum_amount=random.randrange(100, 900))
    case.add("minimum_fee", contract_id=case.name("contract"), amount=random.randrange(1000, 2000), valid_from="2026-01-01")
    records(case, random)


def flat(case, random):
    case.item("fee", usage_type=None, quantity_field=None)
    case.price("flat", flat_amount=amount(random), proration=random.choice(["none", "days"]),
               billing_timing=random.choice(["advance", "arrears"]))


def fee_versions(case, random):
    case.item("fee", usage_type=None, quantity_field=None)
    case.price("flat", "price", flat_amount=amount(random), proration="days", valid_to="2026-06-16")
    case.price("flat", "later", flat_amount=amount(random), proration="days", valid_from="2026-06-16")


def matrix(case, random):
    case.item()
    case.add("metric", product_id=case.name("product"), group_fields="region,size")
    case.price("matrix", unit_amount=random.choice([None, amount(random)]))
    for region in ("eu", "us"):
        for size in ("large", "small"):
            case.add("price_matrix", price_id=case.name("price"), unit_amount=amount(random),
                     group_key=f'{{"region":"{region}","size":"{size}"}}')
            case.use(random.randrange(1, 29), quantity(random), region=region, size=size)


def grouped(case, random):
    case.item()
    case.add("metric", product_id=case.name("product"), group_fields="region")
    case.price("per_unit", unit_amount=amount(random))
    records(case, random, region=one_of("eu", "us", "asia"))


def capacity(case, random):
    case.item()
    case.add("metric", product_id=case.name("product"), group_fields="kind")
    case.price("capacity")
    for number in (1, 2):
        case.add("price_tier", price_id=case.name("price"), tier_number=number, flat_amount=random.randrange(10, 90) * number)
    for kind in ("seats", "projects"):
        case.add("capacity_limit", price_id=case.name("price"), tier_number=1, group_key=f'{{"kind":"{kind}"}}', quantity_to=50)
        case.use(random.randrange(1, 29), quantity(random), kind=kind)


def percentage(case, random):
    case.item()
    case.price("percentage", unit_amount="0.02", flat_amount="0.10")
    case.add("record_allowance", price_id=case.name("price"), free_records=1)
    records(case, random)


def own_price(case, random):
    case.item(price_field="cost")
    case.price("record_amount")
    records(case, random, cost=amount)


def session(case, random):
    case.item()
    case.price("time_of_use")
    case.add("rate_schedule", price_id=case.name("price"), session_decimals=4)
    for number, start in ((1, "00:00:00"), (2, "07:00:00"), (3, "18:00:00")):
        case.add("rate_window", price_id=case.name("price"), window_number=number, start_time=start,
                 weekdays=random.choice([None, "1,2,3,4,5,6,7"]), months=random.choice([None, "5,6,7"]))
        case.add("rate_step", price_id=case.name("price"), window_number=number, step_number=1, unit_amount=amount(random),
                 unit_quantity=60, increment_quantity=30)
    records(case, random)


def dimension(case, random):
    case.item()
    case.price("dimension")
    for number, size in enumerate(("large", "small"), 1):
        case.add("dimension_rule", price_id=case.name("price"), rule_group="hours", rule_number=number, field="size",
                 field_value=size, cost_type="flat", cost=amount(random))
        case.use(random.randrange(1, 29), quantity(random), size=size, zone="b")
    case.add("dimension_rule", price_id=case.name("price"), rule_group="hours", rule_number=3, field="zone", field_value="b",
             cost_type="rate", cost="1.2")


def distinct(case, random):
    case.item()
    case.add("metric", product_id=case.name("product"), aggregation="unique_count", item_field="user_id")
    case.price("per_unit", unit_amount=amount(random))
    records(case, random, user_id=one_of("ann", "bob", "cem"))


def largest(case, random):
    case.item()
    case.add("metric", product_id=case.name("product"), aggregation=random.choice(["max", "latest"]))
    case.price("per_unit", unit_amount=amount(random))
    records(case, random)


def counted(case, random):
    case.item(quantity_field=random.choice(["records", "records with trip", "seconds"]))
    case.price("per_unit", unit_amount=amount(random))
    records(case, random, trip=one_of("a", "b"))
    for record in case.usage:
        record["usage_end"] = record["usage_start"].replace("T08", "T09")


def quota(case, random):
    case.item(quota_id=case.name("quota"))
    case.price("per_unit", unit_amount=amount(random))
    case.add("quota", quota_id=case.name("quota"), included_quantity=random.randrange(1, 20), valid_from="2026-01-01")
    records(case, random)


def burnt(case, random):
    case.item(quota_id=case.name("quota"))
    case.price("per_unit", unit_amount=amount(random))
    case.add("grant_account", contract_id=case.name("contract"), quota_id=case.name("quota"), overage="charged", opened_at=BEGIN)
    case.add("quota_grant", grant_id=case.name("grant"), contract_id=case.name("contract"), quota_id=case.name("quota"),
             amount=random.randrange(1, 9), effective_at=BEGIN, recurrence_interval=random.choice([None, "month"]))
    records(case, random)


def credit(case, random):
    case.item()
    case.price("per_unit", unit_amount=amount(random))
    case.add("grant_account", contract_id=case.name("contract"), quota_id=case.name("money"), currency="EUR", opened_at=BEGIN)
    case.add("quota_grant", grant_id=case.name("grant"), contract_id=case.name("contract"), quota_id=case.name("money"),
             amount=random.randrange(1, 9), effective_at=BEGIN)
    records(case, random)


def tagged(case, random):
    for tag in ("near", "far"):
        case.item(tag, usage_tag=case.name(tag), product_id=case.name(f"{tag}-product"))
        case.price("per_unit", f"{tag}-price", product_id=case.name(f"{tag}-product"), unit_amount=amount(random))
        case.add("tag_rule", tag=case.name(tag), usage_type=case.name("usage"), tag_group=case.name("distance"),
                 position=1 if tag == "near" else 2)
        case.add("tag_rule_value", tag=case.name(tag), usage_type=case.name("usage"), field="zone",
                 field_value=tag)
        case.use(random.randrange(1, 29), quantity(random), zone=tag)


def rest_tagged(case, random):
    """What no other tag of the group fits bears the last one."""
    tagged(case, random)
    rest = case.name("far")
    case.tables["tag_rule_value"] = [row for row in case.tables["tag_rule_value"] if row["tag"] != rest]


def windowed(case, random):
    for tag, hours in (("day", (0, 12)), ("night", (12, 24))):
        case.item(tag, usage_tag=case.name(tag), product_id=case.name(f"{tag}-product"))
        case.price("per_unit", f"{tag}-price", product_id=case.name(f"{tag}-product"), unit_amount=amount(random))
        case.add("time_window", tag=case.name(tag), usage_type=case.name("usage"), time_zone="Europe/Berlin", weekday_from=1,
                 weekday_to=7, hour_from=hours[0], hour_to=hours[1])
    records(case, random)


def identified(case, random):
    case.item(quantity_field="distance")
    case.price("per_unit", unit_amount=amount(random))
    kind = random.choice(["vin", "account_id"])
    case.add("contract_identifier", identifier_kind=kind, identifier=case.name("car"), contract_id=case.name("contract"),
             valid_from=BEGIN)
    records(case, random, distance=quantity)
    for record in case.usage:
        del record["contract_id"], record["quantity"]
        record[kind] = case.name("car")


def spanning(case, random):
    case.item()
    case.price("per_unit", unit_amount=amount(random))
    case.add("span_rule", usage_type=case.name("usage"), placed_by=random.choice(["split", "end"]))
    records(case, random)
    for record in case.usage:
        record["usage_end"] = record["usage_start"].replace("T08", "T20")


MODELS = [
    per_unit, versions, graduated, package, minimum, flat, fee_versions, matrix, grouped, capacity, percentage, own_price, session,
    dimension, distinct, largest, counted, quota, burnt, credit, tagged, rest_tagged, windowed,
    identified, spanning,
]


def case(prefix, random):
    """A small project by one of the models."""
    model = random.choice(MODELS)
    made = Case(prefix, model.__name__, random.choice(["ndjson", "ndjson", "json", "csv"]))
    made.add("customer", customer_id=made.name("customer"), customer_name="Customer")
    made.add("contract", contract_id=made.name("contract"), customer_id=made.name("customer"), currency="EUR", time_zone="UTC",
             cycle_interval="month", valid_from=BEGIN, valid_to=END)
    model(made, random)
    return made
