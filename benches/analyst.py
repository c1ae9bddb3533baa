"""What analysts ask of a warehouse, in turn with DuckDB over the same files.

    python benches/analyst.py [--records 20000000] [--contracts 100000] [--rounds 3] [--threads 2] [--folder DIR]

Ten queries in analyst/, two each about usage as received, guided usage, usage that waits, quotas and what is invoiced,
are asked by `meterhouse sql` and, unchanged, of DuckDB. Each answer is a process of its own from its start to its last
row, so starting is part of it: what that takes alone is shown first. DuckDB finds the views of `meterhouse views`, and
those that need our functions by the macros of `duckdb_run.py`, in a database made before; it multiplies and divides
amounts as doubles there. It is started from Python. Rows of both are the same, up to their order and what a double
loses; else the benchmark ends. With --folder the warehouse is kept, and used again. Needs `pip install duckdb==2.0.0`.
"""

import csv
import datetime
import decimal
import pathlib
import re
import sys

import duckdb
from duckdb_run import MACROS, field_macros, needed, open_given, queries_in
from measure import REPOSITORY, Took, asked, beside, first_run, landed_usage, medians, sizes, take

QUERIES = sorted((REPOSITORY / "benches" / "analyst").glob("*.sql"))
# Views that a query asks for and that `meterhouse views` does not print, since they have functions of ours.
WITH_FUNCTIONS = {"quota_status", "usage_statement"}
# What a sum of shares, made as doubles, may lack.
LOST = decimal.Decimal("0.000001")


def main() -> None:
    arguments = sizes(__doc__)
    arguments.add_argument("--rounds", type=int, default=3)
    given = arguments.parse_args()
    with landed_usage(given) as (folder, landed):
        warehouse, database = folder / "warehouse", folder / "views.duckdb"
        if not warehouse.exists():
            print(f"run                {first_run(folder, landed, warehouse, given.threads)}", flush=True)
        prepare(database, take([*asked(folder, warehouse, given.threads), "views"]).output)
        nothing = folder / "nothing.sql"
        nothing.write_text("select 1 as one\n")
        print(f"\n{given.records} records, {given.contracts} contracts, {given.threads} threads, medians of "
              f"{given.rounds}")
        print(f"{'':22} {'processor seconds':^28} {'seconds':^28} {'most memory, GiB':^28}")
        print(f"{'':22}" + 3 * f" {'meterhouse':>10} {'DuckDB':>10} {'ratio':>6}")
        ours = [*asked(folder, warehouse, given.threads), "--quiet", "--format", "csv", "sql", "--file"]
        theirs = [sys.executable, REPOSITORY / "benches" / "duckdb_sql.py", "--threads", given.threads,
                  "--database", database]
        show("starting", *answers(ours, theirs, nothing, given.rounds))
        both = []
        for query in QUERIES:
            both.append(answers(ours, theirs, query, given.rounds))
            show(query.stem, *both[-1])
        show("all ten", *(total(tooks) for tooks in zip(*both)))


def prepare(database: pathlib.Path, views: str) -> None:
    """A database of DuckDB's that has the tables and views of the warehouse."""
    database.unlink(missing_ok=True)
    with duckdb.connect(database) as connection:
        macros = field_macros(open_given(connection, views)) + MACROS
        connection.execute(macros)
        empty = duckdb.connect()
        empty.execute(macros)
        schemas = {path.stem for path in (REPOSITORY / "schemas").glob("*.sql")}
        made = {name: sql for name, sql in queries_in(REPOSITORY / "queries").items() if name not in schemas}
        for name in needed(made, empty.get_table_names, WITH_FUNCTIONS):
            connection.execute(f"create or replace view {name} as {made[name]}")


def answers(ours: list, theirs: list, query: pathlib.Path, rounds: int) -> tuple[Took, Took]:
    """What the answers of both take; each pair of them is compared."""
    pairs = []
    for _ in range(rounds):
        pairs.append((take([*ours, query]), take([*theirs, query])))
        compare(query, *(took.output for took in pairs[-1]))
    mine, other = (medians(list(tries)) for tries in zip(*pairs))
    return mine, other


def compare(query: pathlib.Path, ours: str, theirs: str) -> None:
    """Ends the benchmark with the first row that one has and the other has not."""
    mine, others = rows(ours), rows(theirs)
    if not mine:
        sys.exit(f"{query.name} finds nothing, so there is nothing to compare")
    for number, (row, other) in enumerate(zip(mine, others)):
        if not all(map(is_same, row, other)):
            sys.exit(f"{query.name}, row {number} in order:\nmeterhouse {row}\nDuckDB     {other}")
    if len(mine) != len(others):
        sys.exit(f"{query.name}: meterhouse has {len(mine)} rows, and DuckDB {len(others)}")


def rows(output: str) -> list[list]:
    """The rows of an answer, in one order, and their values as both write them."""
    return sorted(([value(text) for text in row] for row in csv.reader(output.splitlines()[1:])), key=str)


def value(text: str) -> decimal.Decimal | datetime.datetime | str:
    """A number without regard to its zeros, an instant without regard to its form, or the text."""
    for read in (decimal.Decimal, datetime.datetime.fromisoformat):
        try:
            return read(text)
        except (decimal.InvalidOperation, ValueError):
            pass
    return text


def is_same(one: object, other: object) -> bool:
    if isinstance(one, decimal.Decimal) and isinstance(other, decimal.Decimal):
        return abs(one - other) <= LOST
    return one == other


def total(tooks: tuple[Took, ...]) -> Took:
    """What all take one after the other."""
    return Took(sum(took.seconds for took in tooks), sum(took.processor_seconds for took in tooks),
                max(took.peak_gib for took in tooks), "")


def show(what: str, ours: Took, theirs: Took) -> None:
    figures = ((took.processor_seconds, took.seconds, took.peak_gib) for took in (ours, theirs))
    print(f"{what:22}" + "".join(f" {beside(*pair)}" for pair in zip(*figures)), flush=True)


main()
