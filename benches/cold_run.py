"""A cold run on generated usage, in turn with DuckDB doing the same work.

    python benches/cold_run.py [--records 20000000] [--contracts 100000] [--pairs 3] [--threads 2]

Both read the same landed Parquet, make the same tables by the same SQL, and write them as zstd Parquet; see
`duckdb_run.py` for what DuckDB is spared. Needs `pip install duckdb==2.0.0`.
"""

import pathlib
import shutil
import statistics
import sys

from measure import AS_OF, REPOSITORY, asked, first_run, landed_usage, sizes, take


def main() -> None:
    arguments = sizes(__doc__)
    arguments.add_argument("--pairs", type=int, default=3)
    given = arguments.parse_args()
    ratios = []
    with landed_usage(given) as (folder, landed):
        for number in range(given.pairs):
            ratios.append(pair(folder, landed, given.threads))
            print(f"pair {number + 1}: ratio {ratios[-1]:.2f}", flush=True)
    print(f"{given.records} records, {given.contracts} contracts, {given.threads} threads: meterhouse takes "
          f"{statistics.median(ratios):.2f} of DuckDB's time (median of {given.pairs} pairs, "
          f"{min(ratios):.2f} to {max(ratios):.2f})")


def pair(folder: pathlib.Path, landed: pathlib.Path, threads: int) -> float:
    """meterhouse and then DuckDB, each into a new place; their time's ratio."""
    warehouse, out, views = folder / "warehouse", folder / "out", folder / "views.sql"
    ours = first_run(folder, landed, warehouse, threads)
    print(f"meterhouse         {ours}", flush=True)
    views.write_text(take([*asked(folder, warehouse, threads), "views"]).output)
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir()
    peer = take([sys.executable, REPOSITORY / "benches" / "duckdb_run.py", REPOSITORY / "queries",
                 REPOSITORY / "schemas", views, out, AS_OF, threads])
    print(f"DuckDB             {peer}", flush=True)
    compare(folder, warehouse, peer.output.splitlines()[-1], threads)
    return ours.seconds / peer.seconds


def compare(folder: pathlib.Path, warehouse: pathlib.Path, theirs: str, threads: int) -> None:
    """Both have made the same money, but for DuckDB's rounding through doubles."""
    query = "select currency, sum(amount) as amount from invoice_line group by currency order by currency"
    ours = take([*asked(folder, warehouse, threads), "--format", "csv", "sql", query]).output.splitlines()[1:]
    for mine, other in zip(ours, theirs.split(), strict=True):
        (currency, amount), (same, peer) = mine.split(","), other.split(",")
        if currency != same or abs(float(amount) - float(peer)) > 1e-6 * abs(float(amount)):
            sys.exit(f"the money differs: {mine} and {other}")


main()
