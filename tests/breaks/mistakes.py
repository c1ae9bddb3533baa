"""Mistakes that people make in one row, one field or one file of a small project.

Each takes a case and a source of randomness, changes the case, and says what it did; or says nothing where the case has
no place for it. `KEEPS` are those after which the amount has to be what it was.
"""

# What names something: in these columns a wrong name names nothing.
NAMES = {
    "contract": ["contract_id", "customer_id", "currency", "time_zone", "cycle_interval"],
    "contract_identifier": ["identifier_kind", "identifier", "contract_id"],
    "contract_item": ["contract_id", "product_id", "usage_type", "usage_tag", "quantity_field", "price_field", "quota_id", "unit"],
    "price": ["price_id", "product_id", "charge_model", "billing_timing", "proration"],
    "price_tier": ["price_id"],
    "price_matrix": ["price_id", "group_key"],
    "price_modifier": ["price_id"],
    "record_allowance": ["price_id"],
    "capacity_limit": ["price_id", "group_key"],
    "rate_schedule": ["price_id"],
    "rate_window": ["price_id", "weekdays", "months"],
    "rate_step": ["price_id"],
    "dimension_rule": ["price_id", "field", "field_value", "cost_type"],
    "metric": ["product_id", "aggregation", "group_fields", "item_field"],
    "minimum_fee": ["contract_id"],
    "quota": ["quota_id"],
    "grant_account": ["contract_id", "quota_id", "currency", "overage"],
    "quota_grant": ["contract_id", "quota_id", "recurrence_interval"],
    "tag_rule": ["tag", "usage_type"],
    "tag_rule_value": ["tag", "usage_type", "field", "field_value"],
    "time_window": ["tag", "usage_type", "time_zone"],
    "span_rule": ["usage_type", "placed_by"],
}

# Tables of which a project needs every row; without one that is not here, the project is another one that is right too.
NEEDED = [
    "customer", "contract", "contract_item", "contract_identifier", "price", "price_tier", "rate_schedule", "rate_window",
    "rate_step", "quota", "grant_account", "capacity_limit",
]


def place(case, random, columns):
    """A row and a column of it that the case has filled in."""
    places = [
        (table, row, column)
        for table, rows in case.tables.items()
        for row in rows
        for column in columns.get(table, [])
        if row.get(column) not in (None, "")
    ]
    return random.choice(places) if places else None


def misspelt(case, value, random):
    """The name with one letter wrong, behind the prefix of the case where it has one."""
    start = len(case.prefix) + 1 if value.startswith(case.prefix + "-") else 0
    letters = [at for at in range(start, len(value)) if value[at].isalnum()]
    at = random.choice(letters)
    kind = random.choice(["drop", "double", "other", "blank"])
    if kind == "drop" and len(letters) > 1:
        return value[:at] + value[at + 1 :]
    if kind == "double":
        return value[: at + 1] + value[at] + value[at + 1 :]
    if kind == "blank":
        return value[:at] + " " + value[at:]
    return value[:at] + ("x" if value[at] != "x" else "y") + value[at + 1 :]


def wrong_name(case, random):
    found = place(case, random, NAMES)
    if not found:
        return None
    table, row, column = found
    before = row[column]
    row[column] = misspelt(case, before, random)
    return f"{table}.{column}: {row[column]!r} for {before!r}"


def wrong_case(case, random):
    found = place(case, random, NAMES)
    if not found:
        return None
    table, row, column = found
    before = row[column]
    start = len(case.prefix) + 1 if before.startswith(case.prefix + "-") else 0
    row[column] = before[:start] + before[start:].swapcase()
    return f"{table}.{column}: {row[column]!r} for {before!r}"


def missing_row(case, random):
    tables = [table for table in NEEDED if table in case.tables]
    table = random.choice(tables)
    if table == "contract_item" and not case.usage:
        return None  # A contract without its fee is right, too.
    rows = case.tables[table]
    row = rows.pop(random.randrange(len(rows)))
    return f"{table}: without {row}"


def missing_matrix_row(case, random):
    rows = case.tables.get("price_matrix")
    if not rows or "unit_amount" in case.tables["price"][0]:
        return None
    row = rows.pop(random.randrange(len(rows)))
    return f"price_matrix: without {row}"


def missing_value(case, random):
    """A field of a row that has to be there is empty."""
    found = place(case, random, {table: [column for column in columns if column not in (
        "usage_tag", "price_field", "quota_id", "unit", "group_fields", "currency", "overage", "billing_timing", "proration",
        "aggregation", "field", "field_value", "usage_type", "identifier_kind")] for table, columns in NAMES.items()})
    if not found:
        return None
    table, row, column = found
    row[column] = ""
    return f"{table}.{column} is empty"


FAR = ["9999-12-31", "9999-12-31T23:59:59Z", "2999-01-01", "2262-04-12T00:00:00Z"]


def far_end(case, random):
    """An open end is written as a day far away."""
    tables = [t for t in ("contract_item", "price", "contract_identifier", "quota", "minimum_fee") if t in case.tables]
    table = random.choice(tables)
    rows = [row for row in case.tables[table] if "valid_to" not in row]
    if not rows:
        return None
    row = random.choice(rows)
    row["valid_to"] = random.choice(FAR)
    return f"{table}.valid_to: {row['valid_to']}"


def far_begin(case, random):
    tables = [t for t in ("price", "quota", "minimum_fee") if t in case.tables]
    if not tables:
        return None
    table = random.choice(tables)
    row = random.choice(case.tables[table])
    if row["valid_from"] != "2026-01-01":
        return None
    row["valid_from"] = random.choice(["0001-01-01", "1900-01-01", "1970-01-01"])
    return f"{table}.valid_from: {row['valid_from']}"


def inclusive_end(case, random):
    """The last day or second is given where the end is asked for."""
    rows = [(table, row) for table, rows in case.tables.items() for row in rows if "valid_to" in row]
    table, row = random.choice(rows)
    before = row["valid_to"]
    row["valid_to"] = {
        "2026-06-15": random.choice(["2026-06-14", "2026-06-14T23:59:59Z"]),
        "2026-06-16": random.choice(["2026-06-15", "2026-06-15T23:59:59Z", "2026-06-15T23:59:59.999999Z"]),
    }.get(before, "2026-06-30T23:59:59Z")
    return f"{table}.valid_to: {row['valid_to']} for {before}"


def turned_end(case, random):
    rows = [(table, row) for table, rows in case.tables.items() for row in rows if "valid_from" in row]
    table, row = random.choice(rows)
    row["valid_to"] = "1999-01-01"
    return f"{table}.valid_to: before its begin"


def late_begin(case, random):
    """What has a price, an item or an owner begins when its usage is over."""
    if case.model in ("minimum", "credit", "flat", "fee_versions"):
        return None  # What is charged for a part of the cycle is right, too.
    tables = [t for t in ("contract_item", "price", "contract_identifier") if t in case.tables]
    table = random.choice(tables)
    row = random.choice(case.tables[table])
    row.pop("valid_to", None)
    row["valid_from"] = "2026-06-29T00:00:00Z"
    return f"{table}.valid_from: 2026-06-29"


def wrong_unit(case, random):
    records = [record for record in case.usage if "unit" in record]
    if not records:
        return None
    record = random.choice(records)
    record["unit"] = random.choice(["mi", "KM", "m", "k m"])
    return f"usage unit: {record['unit']} for km"


def wrong_number(case, random):
    records = [record for record in case.usage if "quantity" in record]
    if not records or case.model == "counted":
        return None
    record = random.choice(records)
    record["quantity"] = random.choice(["1,5", "abc", "", "NaN", "1e", "0x10", "1 000", "--1", None, True, [], {}, "1.0000000000001",
                                        "9" * 27, "1e40"])
    return f"usage quantity: {record['quantity']!r}"


def wrong_price(case, random):
    found = place(case, random, {
        "price": ["unit_amount", "flat_amount", "valid_from"], "price_tier": ["unit_amount", "quantity_from", "tier_number"],
        "price_matrix": ["unit_amount"], "price_modifier": ["free_quantity", "discount_percent"], "minimum_fee": ["amount"],
        "quota": ["included_quantity"], "quota_grant": ["amount", "effective_at"], "dimension_rule": ["cost"],
        "rate_window": ["start_time"], "rate_step": ["unit_amount"], "contract": ["valid_from", "valid_to"],
    })
    if not found:
        return None
    table, row, column = found
    row[column] = random.choice(["abc", "1,50", "EUR 3", "1e99", "31.12.2026", "--1", "#REF!", "nan"])
    return f"{table}.{column}: {row[column]}"


# Fields of usage that a rule of each model names.
FIELDS = {
    "matrix": ["region", "size"], "grouped": ["region"], "capacity": ["kind"], "own_price": ["cost"], "dimension": ["size"],
    "distinct": ["user_id"], "tagged": ["zone"], "identified": ["vin", "account_id", "distance"],
}


def fields_of(case):
    """Fields of usage that a rule names and for which there is no rule that takes all others."""
    is_general = case.model == "matrix" and "unit_amount" in case.tables["price"][0]
    return [] if is_general else list(FIELDS.get(case.model, []))


def wrong_field(case, random):
    """A record spells the name of a field otherwise."""
    names = fields_of(case) + ["usage_type", "contract_id", "usage_start", "transaction_id"]
    if case.model != "counted":
        names.append("quantity")
    record = random.choice(case.usage) if case.usage else {}
    names = [name for name in names if name in record]
    if not names:
        return None
    name = random.choice(names)
    other = misspelt(case, name, random)
    record[other] = record.pop(name)
    return f"usage: {other!r} for {name!r}"


def wrong_value(case, random):
    """A record has a value that no rule has."""
    names = [name for name in fields_of(case) if name not in ("cost", "distance", "user_id")]
    names += ["usage_type", "contract_id"]
    if case.model == "grouped":
        names.remove("region")
    record = random.choice(case.usage) if case.usage else {}
    names = [name for name in names if isinstance(record.get(name), str)]
    if not names:
        return None
    name = random.choice(names)
    before = record[name]
    if random.random() < 0.5:
        start = len(case.prefix) + 1 if before.startswith(case.prefix + "-") else 0
        record[name] = before[:start] + before[start:].swapcase()
    else:
        record[name] = misspelt(case, before, random)
    return f"usage {name}: {record[name]!r} for {before!r}"


def no_owner(case, random):
    record = random.choice(case.usage) if case.usage else {}
    for name in ("contract_id", "vin", "account_id"):
        if name in record:
            del record[name]
            return f"usage without {name}"
    return None


def camel_case(case, random):
    """Fields in camelCase are the same fields."""
    if not case.usage:
        return None
    for record in case.usage:
        for name in [name for name in record if "_" in name]:
            first, *others = name.split("_")
            record[first + "".join(word.capitalize() for word in others)] = record.pop(name)
    return "usage in camelCase"


def duplicate_row(case, random):
    table = random.choice(list(case.tables))
    rows = case.tables[table]
    row = dict(random.choice(rows))
    rows.append(row)
    return f"{table}: twice {row}"


def overlapping_row(case, random):
    """A second row for the same thing at the same time."""
    tables = [t for t in ("price", "contract_item", "quota", "contract_identifier") if t in case.tables]
    table = random.choice(tables)
    row = dict(random.choice(case.tables[table]))
    key = {"price": "price_id", "contract_item": "contract_item_id"}.get(table)
    if key:
        row[key] += "-2"
    row["valid_from"] = "2026-02-02T00:00:00Z" if table in ("price", "quota") else "2026-06-02T00:00:00Z"
    if row.get("valid_to", "9") <= row["valid_from"]:
        return None
    case.tables[table].append(row)
    return f"{table}: another {row}"


def duplicate_usage(case, random):
    if not case.usage:
        return None
    case.usage.append(dict(random.choice(case.usage)))
    return "usage: the same record twice"


def conflicting_usage(case, random):
    """One identity with two contents."""
    records = [record for record in case.usage if "quantity" in record]
    if not records:
        return None
    record = dict(random.choice(records))
    record["quantity"] = "77.75"
    case.usage.append(record)
    return "usage: one id with two quantities"


def other_order(case, random):
    for rows in case.tables.values():
        random.shuffle(rows)
    if case.model != "percentage":
        random.shuffle(case.usage)
    for rows in [*case.tables.values(), case.usage]:
        for at, row in enumerate(rows):
            names = list(row)
            random.shuffle(names)
            rows[at] = {name: row[name] for name in names}
    return "rows and fields in another order"


def blanks_in_key(case, random):
    """A group key as another program writes it."""
    rows = case.tables.get("price_matrix", []) + case.tables.get("capacity_limit", [])
    if not rows:
        return None
    for row in rows:
        row["group_key"] = row["group_key"].replace(":", ": ").replace(",", ", ")
    return "group keys with blanks"


def turned_key(case, random):
    rows = case.tables.get("price_matrix", [])
    if not rows:
        return None
    for row in rows:
        first, second = row["group_key"].strip("{}").split(",")
        row["group_key"] = f"{{{second},{first}}}"
    return "group keys with their fields in another order"


# What is done to the bytes of one reference file or the usage file of a case, by name.
FILES = ["crlf", "cr", "bom", "no_end", "blank_lines", "utf16", "semicolon", "header_typo", "header_case", "short_row", "long_row",
         "open_quote", "zip", "empty", "renamed", "gzip", "no_line_feeds", "array", "blanks"]
KEEPING_FILES = ["crlf", "bom", "no_end", "blank_lines"]


# Those that make no sense for some files.
OF_JSON = ["gzip", "no_line_feeds", "array"]
OF_CSV = ["semicolon", "header_typo", "header_case", "short_row", "long_row", "blanks"]


def broken_file(case, random):
    files = list(case.tables) + (["usage"] if case.usage else [])
    file, kind = random.choice(files), random.choice(FILES)
    is_json = file == "usage" and case.form != "csv"
    if kind in (OF_CSV if is_json else OF_JSON) or (file == "usage" and kind in ("empty", "renamed")):
        return None
    case.broken_file = (file, kind)
    return f"file {file} ({case.form if file == 'usage' else 'csv'}): {kind}"


MISTAKES = [
    wrong_name, wrong_name, wrong_name, wrong_case, wrong_case, missing_row, missing_matrix_row, missing_value, far_end, far_begin,
    inclusive_end, turned_end, late_begin, wrong_unit, wrong_number, wrong_price, wrong_field, wrong_value, no_owner, camel_case,
    duplicate_row, overlapping_row, duplicate_usage, conflicting_usage, other_order, blanks_in_key, turned_key, broken_file,
    broken_file,
]
KEEPS = [far_end, far_begin, camel_case, duplicate_usage, other_order, blanks_in_key, turned_key]
