#!/usr/bin/env python3
"""Breaks small projects in one place each, and asserts that the amount is what it was, or that somebody is told.

    python3 tests/breaks/breaks.py target/release/meterhouse [--breaks 300] [--seed 1] [--batch 120]

A batch of small projects stands side by side in one: each is a customer with names of its own, in files of its own. It
is billed once as it is, then with one mistake in each. What the program says names the customer, a file, or a row of
it, so it is known who was told. Where a mistake keeps the whole run from going on, the projects that were named are taken
out and the others are run again.
"""

import argparse
import copy
import csv
import gzip
import json
import pathlib
import random
import re
import subprocess
import sys
import tempfile
from collections import Counter, defaultdict

import mistakes
import project

ROOT = pathlib.Path(__file__).resolve().parents[2]
AS_OF = "2026-07-15T00:00:00Z"

# What a command would show a person who looks for what was left out.
TOLD = {
    "suspense": "select transaction_id, suspense_reason from suspense",
    "rejected": "select file_name, raw_text from usage_rejected",
    "duplicate": "select transaction_id from usage_duplicate where duplicate_kind = 'conflicting'",
}


def csv_lines(rows, random, kind):
    columns = []
    for row in rows:
        columns += [name for name in row if name not in columns]
    header = list(columns)
    if kind == "header_typo":
        at = random.randrange(len(header))
        header[at] = header[at] + "s"
    if kind == "header_case":
        header = [name.upper() for name in header]
    separator = ";" if kind == "semicolon" else ","
    lines = [header] + [[cell(row.get(name)) for name in columns] for row in rows]
    if kind == "short_row":
        lines[-1].pop()
    if kind == "long_row":
        lines[-1].append("1")
    if kind == "blanks":
        lines[1:] = [[f" {value}" for value in line] for line in lines[1:]]

    def text_of(value):
        return '"' + value.replace('"', '""') + '"' if '"' in value or separator in value else value

    lines = [separator.join(text_of(value) for value in line) for line in lines]
    if kind == "open_quote":
        lines[-1] = '"' + lines[-1]
    return lines


def cell(value):
    """A value as CSV has it."""
    return "" if value is None else value if isinstance(value, str) else json.dumps(value)


def write_file(path, lines, kind):
    """The lines as a file, in the way that `kind` says."""
    end = {"crlf": "\r\n", "cr": "\r", "no_line_feeds": ""}.get(kind, "\n")
    if kind == "array":
        text = "[" + ",\n".join(lines) + "]\n"
    elif kind == "blank_lines":
        text = "\n\n".join(lines) + "\n\n\n"
    else:
        text = end.join(lines) + ("" if kind == "no_end" else end)
    if kind == "empty":
        text = ""
    data = text.encode()
    if kind == "bom":
        data = b"\xef\xbb\xbf" + data
    if kind == "utf16":
        data = text.encode("utf-16")
    if kind == "zip":
        data = b"PK\x03\x04\x14\x00\x00\x00" + data
    if kind == "gzip":
        data = gzip.compress(data) + b"\0" * 8
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)


def write_case(folder, case, random):
    file, kind = getattr(case, "broken_file", (None, None))
    for table, rows in case.tables.items():
        if rows:
            of_file = kind if file == table else None
            name = f"{table}s.csv" if of_file == "renamed" else f"{table}.csv"
            write_file(folder / "data" / case.prefix / name, csv_lines(rows, random, of_file), of_file)
    if case.usage:
        of_file = kind if file == "usage" else None
        form = case.form if of_file not in ("array", "no_line_feeds") else "ndjson"
        if form == "csv":
            lines = csv_lines(case.usage, random, of_file)
        else:
            lines = [json.dumps(record) for record in case.usage]
        write_file(folder / "usage" / f"{case.prefix}.{form}", lines, "array" if form == "json" and not of_file else of_file)


def write_project(folder, cases, random):
    folder.mkdir(parents=True)
    (folder / "data").mkdir()
    (folder / "usage").mkdir()
    (folder / "meterhouse.toml").write_text(
        f'extends = "{ROOT}"\ntime_zone = "UTC"\n[warehouse]\nurl = "warehouse"\n[inbox.usage]\nfiles = ["usage/*"]\n'
    )
    (folder / "data" / "currency.csv").write_text("currency,decimals,rounding\nEUR,2,half_up\n")
    for case in cases:
        write_case(folder, case, random)


class Program:
    """The program on one project."""

    def __init__(self, program, folder):
        self.program, self.folder = program, folder

    def type(self, *arguments):
        command = [self.program, "--project", self.folder, "--as-of", AS_OF, *arguments]
        done = subprocess.run(command, capture_output=True, text=True, errors="replace")
        if done.returncode not in (0, 1) or "panicked" in done.stderr:
            sys.exit(f"exit {done.returncode}: {' '.join(map(str, command))}\n{done.stdout[-2000:]}\n{done.stderr[-6000:]}")
        return done

    def rows(self, query):
        done = self.type("sql", query, "--format", "csv")
        if done.returncode:
            sys.exit(f"{query}\n{done.stderr}")
        return list(csv.reader(done.stdout.splitlines()))[1:]

    def amounts(self):
        """What each case owes: its lines, without names that may be part of the mistake."""
        lines = defaultdict(list)
        for customer, period, quantity, amount in self.rows(
            "select customer_id, billing_period, quantity, amount from invoice_line where amount <> 0"
        ):
            lines[customer.split("-")[0]].append((period, amount))
        return {prefix: sorted(found) for prefix, found in lines.items()}


def named(text, prefixes):
    """The cases that a text is about: neither those that it suggests, nor those of a line that lists half of them."""
    found = set()
    for line in text.splitlines():
        if line.startswith("hint: "):
            continue
        of_line = set(re.findall(r"\bk\d+(?!\d)", line)) & prefixes
        if len(of_line) <= 5:
            found |= of_line
    return found


def run(program, folder, cases, random):
    """A run of a project of these cases: the project, who was named, whether it was published, and what was said."""
    write_project(folder, cases, random)
    typed = Program(program, folder)
    done = typed.type("run", "-q")
    ledger = folder / "warehouse" / "ledger"
    published = ledger.exists() and any(ledger.iterdir())
    return typed, named(done.stderr, {case.prefix for case in cases}), published, done.stderr


def stopper(program, folder, cases, random):
    """One of the cases that keeps all others from being billed, where the program does not say which."""
    while len(cases) > 1:
        half = cases[: len(cases) // 2]
        folder = folder.with_name(folder.name + "h")
        _, said, published, _ = run(program, folder, half, random)
        cases = cases[len(cases) // 2 :] if published or said else half
    return cases[0]


def bill(program, folder, cases, random):
    """Runs until the program goes on: the project then, who was told on the way and how, and who stopped all, unnamed."""
    told, nameless = defaultdict(set), []
    left = list(cases)
    for attempt in range(100):
        at = folder / f"try{attempt}"
        typed, said, published, text = run(program, at, left, random)
        for prefix in said:
            told[prefix].add("warned" if published else "stopped")
        if published:
            return typed, told, nameless
        if not said:
            case = stopper(program, at, left, random)
            nameless.append((case.prefix, text.strip()))
            said = {case.prefix}
            told[case.prefix].add("nameless")
        left = [case for case in left if case.prefix not in said]
    sys.exit(f"does not come to an end: {folder}")


def batch(program, folder, numbers, random):
    """Breaks one small project for each number; the silent ones and how the others were told."""
    right = [project.case(f"k{number}", random) for number in numbers]
    typed, told, _ = bill(program, folder / "right", right, random)
    if told or typed.type("sql", "select 1 from suspense").stdout.count("\n") > 1:
        sys.exit(f"unbroken projects are told something: {dict(told)}\n{typed.folder}")
    expected, broken, what = typed.amounts(), [], {}
    for case in right:
        case = copy.deepcopy(case)
        while True:
            mistake = random.choice(mistakes.MISTAKES)
            said = mistake(case, random)
            if said:
                break
        what[case.prefix] = (mistake, case.model, said)
        broken.append(case)
    typed, told, nameless = bill(program, folder / "broken", broken, random)
    prefixes = set(what)
    for name, query in TOLD.items():
        for row in typed.rows(query):
            for prefix in named(" ".join(row), prefixes):
                told[prefix].add(name)
    status = typed.type("status")
    if status.returncode:
        sys.exit(f"status fails: {status.stderr}\n{typed.folder}")
    for prefix in named(status.stdout + status.stderr, prefixes):
        told[prefix].add("status")
    found, silent, ways = typed.amounts(), [], Counter()
    for prefix, text in nameless:
        mistake, model, said = what[prefix]
        silent.append((prefix, mistake.__name__, model, said, "stops all and is not named", text[:600], str(typed.folder)))
    for prefix, (mistake, model, said) in what.items():
        same = found.get(prefix, []) == expected.get(prefix, [])
        if prefix not in told and not same:
            silent.append((prefix, mistake.__name__, model, said, expected.get(prefix), found.get(prefix), str(typed.folder)))
        if mistake in mistakes.KEEPS and not same:
            silent.append((prefix, mistake.__name__, model, said + " (has to be the same)", expected.get(prefix), found.get(prefix),
                           str(typed.folder)))
        ways["same" if same and prefix not in told else "+".join(sorted(told[prefix]))] += 1
    return silent, ways


def main():
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("program", type=pathlib.Path)
    arguments.add_argument("--breaks", type=int, default=300)
    arguments.add_argument("--seed", type=int, default=1)
    arguments.add_argument("--batch", type=int, default=150)
    arguments.add_argument("--keep", type=pathlib.Path, help="a folder in which the projects stay")
    given = arguments.parse_args()
    source, silent, ways = random.Random(given.seed), [], Counter()
    for start in range(0, given.breaks, given.batch):
        numbers = range(start, min(start + given.batch, given.breaks))
        with tempfile.TemporaryDirectory() as folder:
            folder = given.keep / str(start) if given.keep else pathlib.Path(folder)
            folder.mkdir(parents=True, exist_ok=True)
            found, told = batch(given.program.resolve(), folder, numbers, source)
        silent += found
        ways += told
        for row in found:
            print("silent:", *row, sep="\n    ")
    print(f"{given.breaks} breaks, seed {given.seed}: {len(silent)} silent; {dict(ways.most_common())}")
    return 1 if silent else 0


if __name__ == "__main__":
    sys.exit(main())
