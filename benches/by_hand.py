"""A cold run on generated usage, in turn with the same bill written by hand for DuckDB.

    python benches/by_hand.py [--records 20000000] [--contracts 100000] [--pairs 3] [--threads 2]

by_hand/ is what a data engineer writes who needs these bills and no more: cycles, duplicates, guiding, what waits and
why, quotas, charge models, minimum fees, invoice lines and the balance of records, as zstd Parquet. It has no closed
books, corrections, voids, holds, tags, metrics, grants, price modifiers or records that are split, no proof by hashes,
and no table for each step. In each pair the invoice lines of both are the same, in every column that both have; else
the benchmark ends with the first that differ. Needs `pip install duckdb==2.0.0`.
"""

import pathlib
import shutil
import sys

import duckdb
from measure import AS_OF, REPOSITORY, ZONE, Took, asked, beside, first_run, landed_usage, medians, sizes, take

SHOWN = 10


def main() -> None:
    arguments = sizes(__doc__)
    arguments.add_argument("--pairs", type=int, default=3)
    given = arguments.parse_args()
    pairs = []
    with landed_usage(given) as (folder, landed):
        for number in range(given.pairs):
            pairs.append(pair(folder, landed, given.threads))
            lines = compare(folder, given.threads)
            print(f"pair {number + 1}: {lines} invoice lines, all the same", flush=True)
    ours, theirs = (medians(list(tries)) for tries in zip(*pairs))
    print(f"\n{given.records} records, {given.contracts} contracts, {given.threads} threads, medians of {given.pairs}")
    print(f"{'':17} {'meterhouse':>10} {'by hand':>10} {'ratio':>6}")
    print(f"processor seconds {beside(ours.processor_seconds, theirs.processor_seconds)}")
    print(f"seconds           {beside(ours.seconds, theirs.seconds)}")
    print(f"most memory, GiB  {beside(ours.peak_gib, theirs.peak_gib)}")


def pair(folder: pathlib.Path, landed: pathlib.Path, threads: int) -> tuple[Took, Took]:
    """meterhouse and then DuckDB, each into a new place."""
    ours = first_run(folder, landed, folder / "warehouse", threads)
    print(f"meterhouse         {ours}", flush=True)
    out = folder / "out"
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir()
    benches = REPOSITORY / "benches"
    theirs = take([sys.executable, benches / "duckdb_sql.py", "--folder", out, "--threads", threads,
                   "--set", f"data={folder / 'data'}", "--set", f"landed={landed}", "--set", f"zone={ZONE}",
                   "--set", f"as_of={AS_OF}", *sorted((benches / "by_hand").glob("*.sql"))])
    print(f"by hand            {theirs}", flush=True)
    return ours, theirs


def compare(folder: pathlib.Path, threads: int) -> int:
    """How many invoice lines both have, or the end where one has a line that the other has not."""
    database = duckdb.connect()
    database.execute("set TimeZone = 'UTC'")
    database.execute(take([*asked(folder, folder / "warehouse", threads), "views"]).output)
    database.execute(f"create view by_hand as from '{folder / 'out' / 'invoice_line.parquet'}'")
    ours, theirs = (database.table(name).columns for name in ("invoice_line", "by_hand"))
    common = ", ".join(column for column in ours if column in theirs)
    differing = database.sql(f"""
        select 'meterhouse' as of, * from (select {common} from invoice_line except all select {common} from by_hand)
        union all
        select 'by hand', * from (select {common} from by_hand except all select {common} from invoice_line)
        order by line_id, of desc
        limit {SHOWN}""")
    if len(differing):
        differing.show(max_width=1000)
        sys.exit("these invoice lines differ, and perhaps more")
    return len(database.table("invoice_line"))


main()
