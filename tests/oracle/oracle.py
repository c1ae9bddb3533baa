#!/usr/bin/env python3
"""A second implementation of the charge models, in exact rationals, against the program.

    python3 tests/oracle/oracle.py target/release/meterhouse [--pairs 100000] [--seed 1]

Prices and usage are generated from a seed; each pair of one price and some usage is a contract item of its own, all of
them in one project. What each item costs is computed here with fractions, from the descriptions of the models and not
from the queries, and has to be equal to the last digit. Besides, for each price: more usage never costs less where the
model is monotone; usage that comes in one record costs what it costs in several, in any order; and a price that is
replaced by an equal one in the middle of the cycle costs what it did, where its tiers go on.
"""

import argparse
import csv
import os
import pathlib
import random
import shutil
import subprocess
import sys
import tempfile
from collections import defaultdict
from fractions import Fraction
from math import ceil, floor

ROOT = pathlib.Path(__file__).resolve().parents[2]
AS_OF = "2026-07-15T00:00:00Z"


def rounded(value, decimals, mode):
    """To so many decimals; half_up goes away from zero."""
    unit = Fraction(1, 10**decimals)
    steps = value / unit
    if mode == "ceil":
        return ceil(steps) * unit
    if mode == "floor":
        return floor(steps) * unit
    down = floor(abs(steps))
    rest = abs(steps) - down
    odd = down % 2 == 1
    up = rest > Fraction(1, 2) or (rest == Fraction(1, 2) and (mode == "half_up" or odd))
    return (down + up) * unit * (1 if steps >= 0 else -1)


def tier_lines(price, quantity):
    """What graduated and volume tiers come to, tier by tier."""
    lines, below = [], Fraction(0)
    for number, (bound, unit, flat, block) in enumerate(price["tiers"]):
        reached = quantity > below or number == 0
        inside = bound is None or quantity <= bound
        if price["model"] == "volume":
            if not (reached and inside):
                below = bound
                continue
            units = quantity
        else:
            if not reached:
                break
            units = (quantity if inside else bound) - below
        count = ceil(max(units, 0) / block) if block else units
        lines.append(count * unit + flat)
        if price["model"] == "volume":
            break
        below = bound
        if inside:
            break
    return lines


def lines_of(price, events):
    """The charges of a price for events in order of time, before modifiers of the amount."""
    total = sum(events, Fraction(0))
    model = price["model"]
    if model == "percentage":
        amount, running = Fraction(0), Fraction(0)
        for number, event in enumerate(events, 1):
            running += event
            free_records, free_quantity = price["free_records"], price["free_quantity"]
            if free_records is not None and number > free_records:
                paid, is_paid = event, True
            elif free_quantity is not None and running > free_quantity:
                paid, is_paid = min(event, running - free_quantity), True
            elif free_records is None and free_quantity is None:
                paid, is_paid = event, True
            else:
                paid, is_paid = Fraction(0), False
            if is_paid:
                cost = paid * price["unit"] + price["flat"]
                if price["most"] is not None:
                    cost = min(cost, price["most"])
                if price["least"] is not None:
                    cost = max(cost, price["least"])
                amount += cost
        return [amount]
    quantity = total * price["factor"] / price["divisor"]
    if price["convert"] != "none":
        quantity = rounded(quantity, 0, price["convert"])
    if quantity > 0:
        quantity = max(quantity - price["free"], Fraction(0))
    if model == "per_unit":
        count = ceil(max(quantity, 0) / price["block"]) if price["block"] else quantity
        return [count * price["unit"]]
    return tier_lines(price, quantity)


def amount_of(price, events):
    """What the item owes, with the minimum."""
    total = Fraction(0)
    for line in lines_of(price, events):
        decimals = price["decimals"]
        if decimals is not None:
            line = rounded(line, decimals, price["rounding"])
        discount = line * price["discount"] / 100
        if decimals is not None:
            discount = rounded(discount, decimals, price["rounding"])
        line -= discount
        if price["maximum"] is not None:
            line = min(total + line, price["maximum"]) - min(total, price["maximum"])
        total += line
    return total


def decimal(value, digits=12):
    """An exact decimal text."""
    scaled = value * 10**digits
    assert scaled.denominator == 1, f"{value} has more than {digits} decimals"
    sign, number = ("-" if scaled < 0 else ""), abs(scaled.numerator)
    return f"{sign}{number // 10**digits}.{number % 10**digits:0{digits}d}"


def some_price(random):
    """A price of any model; its numbers leave room for 12 exact decimals."""
    unit = lambda: Fraction(random.choice([0, 1, 3, 25, 335, 1000, 99999, random.randrange(10**6)]), 10**4)
    flat = lambda: Fraction(random.choice([0, 0, 5, 100, 1234]), 100)
    price = {
        "model": random.choice(["per_unit", "package", "graduated", "graduated", "volume", "percentage"]),
        "factor": Fraction(1), "divisor": Fraction(1), "convert": "none", "free": Fraction(0), "block": None,
        "decimals": random.choice([None, None, 2, 0, 3]), "maximum": None, "minimum": None,
        "rounding": random.choice(["half_up", "half_even", "ceil", "floor"]),
        "discount": Fraction(random.choice([0, 0, 0, 10, 15, 33])), "unit": unit(), "flat": flat(),
    }
    if price["model"] == "percentage":
        price["unit"] = Fraction(random.randrange(0, 10**4), 10**5)
        price["free_records"] = random.choice([None, None, 1, 2, 5])
        price["free_quantity"] = random.choice([None, None, Fraction(50), Fraction(7, 2)])
        price["most"] = random.choice([None, Fraction(3)])
        price["least"] = random.choice([None, Fraction(1, 2)])
    else:
        if random.random() < 0.3:
            price["divisor"] = Fraction(random.choice([8, 1000, 1024]))
            price["convert"] = random.choice(["ceil", "floor", "half_up", "half_even"])
        if random.random() < 0.2:
            price["factor"] = Fraction(random.choice([2, 15, 1]), random.choice([10, 1]))
        if random.random() < 0.3:
            price["free"] = Fraction(random.choice([1, 10, 100, 5]), random.choice([1, 2]))
    if price["model"] == "package":
        price["model"] = "per_unit"
        price["block"] = Fraction(random.choice([1, 7, 10, 250]), random.choice([1, 2]))
    if price["model"] in ("graduated", "volume"):
        bounds = sorted(random.sample([1, 2, 5, 10, 50, 100, 200, 1000, 5000], random.randrange(0, 4)))
        blocks = lambda: random.choice([None, None, None, Fraction(10), Fraction(25, 2)])
        price["tiers"] = [(Fraction(bound), unit(), flat(), blocks()) for bound in bounds]
        price["tiers"].append((None, unit(), flat(), blocks()))
    if random.random() < 0.2:
        price["maximum"] = Fraction(random.choice([1, 100, 9999]), random.choice([1, 10]))
    # An equal price takes over in the middle of the cycle.
    price["split"] = (
        price["model"] in ("per_unit", "graduated") and not price["block"] and not price["free"]
        and price["convert"] == "none" and price["decimals"] is None and price["maximum"] is None
        and not any(tier[3] for tier in price.get("tiers", [])) and random.random() < 0.5
    )
    return price


def some_usage(random, price):
    """Quantities in order of time; now and then none, at a bound, huge or negative."""
    kind = random.random()
    if kind < 0.05:
        return []
    if kind < 0.1 and "tiers" in price:
        bound = random.choice([tier[0] or Fraction(7) for tier in price["tiers"]])
        return [bound + Fraction(random.choice([-1, 0, 0, 1]), 1000)]
    if kind < 0.15:
        return [Fraction(random.randrange(10**18), 1000)]
    quantities = [Fraction(random.randrange(0, 400000), random.choice([1000, 100])) for _ in range(random.choice([1, 1, 2, 4]))]
    if kind < 0.2 and price["model"] != "percentage":
        quantities.append(Fraction(-random.randrange(0, 500000), 1000))
    return quantities


def write(folder, name, columns, rows):
    with open(folder / "data" / f"{name}.csv", "w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(columns)
        writer.writerows(["" if value is None else value for value in row] for row in rows)


def project(folder, prices, contracts, usage):
    """Writes a project in which contract c uses price p as item c/p."""
    for name in ("schemas", "queries"):
        shutil.copytree(ROOT / name, folder / name)
    (folder / "data").mkdir()
    (folder / "usage").mkdir()
    (folder / "meterhouse.toml").write_text(
        'time_zone = "UTC"\n[warehouse]\nurl = "warehouse"\n[inbox.usage]\nfiles = ["usage/*"]\n'
    )
    write(folder, "customer", ["customer_id", "customer_name"], [["c", "c"]])
    write(folder, "currency", ["currency", "decimals", "rounding"], [["XXX", 12, "half_up"]])
    columns = ["contract_id", "customer_id", "currency", "time_zone", "cycle_interval", "valid_from", "valid_to"]
    span = ["2026-06-01T00:00:00Z", "2026-07-01T00:00:00Z"]
    write(folder, "contract", columns, [[f"c{c}", "c", "XXX", "UTC", "month", *span] for c in range(contracts)])
    columns = ["contract_item_id", "contract_id", "product_id", "description", "usage_type", "quantity_field", "valid_from"]
    write(folder, "contract_item", columns, [
        [f"c{c}/p{p}", f"c{c}", f"p{p}", "item", f"p{p}", "quantity", span[0]]
        for c in range(contracts) for p in range(len(prices))
    ])
    text = lambda value: None if value is None else decimal(value)
    price_rows, tiers, modifiers, allowances = [], [], [], []
    for p, price in enumerate(prices):
        middle = "2026-06-16T00:00:00Z"
        versions = [(f"p{p}", span[0], middle), (f"p{p}b", middle, None)] if price["split"] else [(f"p{p}", span[0], None)]
        is_percentage = price["model"] == "percentage"
        for price_id, since, until in versions:
            price_rows.append([
                price_id, f"p{p}", price["model"], None if "tiers" in price else text(price["unit"]),
                text(price["flat"]) if is_percentage else None,
                text(price["most"]) if is_percentage else None, since, until,
            ])
            modifiers.append([
                price_id, text(price["factor"]), text(price["divisor"]), price["convert"], text(price["free"]),
                text(price["block"]), price["decimals"],
                "half_up" if price["decimals"] is None else price["rounding"],
                text(price["discount"]), text(price["maximum"]),
                "true" if price["model"] == "graduated" and price["split"] else "false",
            ])
        for price_id, _, _ in versions:
            below = Fraction(0)
            for number, (bound, unit, flat, block) in enumerate(price.get("tiers", []), 1):
                tiers.append([price_id, number, text(below), text(bound), text(unit), text(flat), text(block)])
                below = bound
        if is_percentage:
            allowances.append([f"p{p}", price["free_records"], text(price["free_quantity"]), text(price["least"])])
    write(folder, "price", ["price_id", "product_id", "charge_model", "unit_amount", "flat_amount", "record_maximum",
                            "valid_from", "valid_to"], price_rows)
    write(folder, "price_tier", ["price_id", "tier_number", "quantity_from", "quantity_to", "unit_amount", "flat_amount",
                                 "block_quantity"], tiers)
    write(folder, "price_modifier", ["price_id", "convert_factor", "convert_divisor", "convert_rounding", "free_quantity",
                                     "block_quantity", "charge_decimals", "charge_rounding", "discount_percent",
                                     "maximum_amount", "tiers_go_on"], modifiers)
    write(folder, "record_allowance", ["price_id", "free_records", "free_quantity", "record_minimum"], allowances)
    lines = []
    for (c, p), events in usage.items():
        for number, quantity in enumerate(events):
            day, minute = 2 + number * 7, random.randrange(60)
            lines.append(f"c{c}/p{p}/{number},p{p},2026-06-{day:02}T08:{minute:02}:00Z,c{c},{decimal(quantity)}")
    # Order of arrival is of no matter.
    random.shuffle(lines)
    header = "transaction_id,usage_type,usage_start,contract_id,quantity\n"
    (folder / "usage" / "usage.csv").write_text(header + "\n".join(lines) + "\n")


def meterhouse(program, folder, *arguments):
    command = [program, "--project", folder, "--as-of", AS_OF, *arguments]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"{' '.join(map(str, command))}\n{done.stderr}")
    return done.stdout


def main():
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("program")
    arguments.add_argument("--pairs", type=int, default=100_000)
    arguments.add_argument("--seed", type=int, default=1)
    given = arguments.parse_args()
    random.seed(given.seed)
    contracts = min(50, given.pairs)
    prices = [some_price(random) for _ in range(given.pairs // contracts)]
    usage = {(c, p): some_usage(random, price) for p, price in enumerate(prices) for c in range(contracts)}
    # The second contract uses in one record what the first one uses in several.
    for p, price in enumerate(prices):
        if price["model"] != "percentage":
            usage[1, p] = [sum(usage[0, p], Fraction(0))]
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        project(folder, prices, contracts, usage)
        meterhouse(given.program, folder, "run", "-q")
        query = "select contract_item_id, sum(amount) as amount from charge group by contract_item_id"
        rows = list(csv.DictReader(meterhouse(given.program, folder, "sql", query, "--format", "csv").splitlines()))
    found = {row["contract_item_id"]: Fraction(row["amount"]) for row in rows}
    wrong, models, by_price = [], defaultdict(int), defaultdict(list)
    for (c, p), events in usage.items():
        # A split price has two charges, each with its own discount: linear, so the sum is the same.
        expected = rounded(amount_of(prices[p], events), 12, "half_up")
        got = found.get(f"c{c}/p{p}")
        models[prices[p]["model"]] += 1
        if got is None or abs(got - expected) > Fraction(2 if prices[p]["split"] else 0, 10**12):
            wrong.append(f"c{c}/p{p}: expected {float(expected)}, got {got and float(got)}: {prices[p]} {events}")
        by_price[p].append((sum(events, Fraction(0)), got))
    for p, price in enumerate(prices):
        if price["model"] in ("per_unit", "graduated") and all(quantity >= 0 for quantity, _ in by_price[p]):
            amounts = [amount for _, amount in sorted(by_price[p])]
            if amounts != sorted(amounts):
                wrong.append(f"p{p}: more usage costs less: {price}")
        if price["model"] != "percentage" and found[f"c0/p{p}"] != found[f"c1/p{p}"]:
            wrong.append(f"p{p}: one record costs another amount than several: {price}")
    print(f"{len(usage)} pairs of {len(prices)} prices, {dict(models)}: {len(wrong)} wrong")
    for line in wrong[:10]:
        print("  " + line)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
