"""A cold run on generated usage, in turn with DuckDB doing the same work.

    python benches/cold_run.py [--records 20000000] [--contracts 100000] [--pairs 3] [--threads 2]

Both read the same landed Parquet, make the same tables by the same SQL, and write them as zstd Parquet; see
`duckdb_run.py` for what DuckDB is spared. Needs `pip install duckdb==2.0.0`.
"""

import argparse
import pathlib
import shutil
import statistics
import subprocess
import sys
import tempfile

from measure import REPOSITORY, meterhouse, sample_project, take

AS_OF = "2026-11-05T00:00:00Z"


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--records", type=int, default=20_000_000)
    arguments.add_argument("--contracts", type=int, default=100_000)
    arguments.add_argument("--pairs", type=int, default=3)
    arguments.add_argument("--threads", type=int, default=2)
    arguments.add_argument("--folder", type=pathlib.Path, help="keep the data here, and use what is there")
    given = arguments.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = given.folder or pathlib.Path(scratch)
        landed = folder / "landed"
        if not landed.exists():
            (folder / "data").mkdir(parents=True)
            sample_project(folder, given.records, given.contracts, "parquet")
            files = sorted((folder / "data" / "generated" / "usage").iterdir())
            land = [meterhouse(), "--project", folder, "--set", f"warehouse.url={landed}", "land", *files]
            print(f"landing            {take(land)}", flush=True)
        ratios = []
        for number in range(given.pairs):
            ratios.append(pair(folder, landed, given.threads))
            print(f"pair {number + 1}: ratio {ratios[-1]:.2f}", flush=True)
        print(f"{given.records} records, {given.contracts} contracts, {given.threads} threads: meterhouse takes "
              f"{statistics.median(ratios):.2f} of DuckDB's time (median of {given.pairs} pairs, "
              f"{min(ratios):.2f} to {max(ratios):.2f})")


def pair(folder: pathlib.Path, landed: pathlib.Path, threads: int) -> float:
    """meterhouse and then DuckDB, each into a new place; their time's ratio."""
    warehouse, out = folder / "warehouse", folder / "out"
    for place in (warehouse, out):
        shutil.rmtree(place, ignore_errors=True)
    subprocess.run(["cp", "--recursive", "--link", landed, warehouse], check=True)
    out.mkdir()
    ours = take([meterhouse(), "--project", folder, "--as-of", AS_OF, "--set", f"warehouse.url={warehouse}",
                 "--set", f"engine.threads={threads}", "run"])
    print(f"meterhouse         {ours}", flush=True)
    views = folder / "views.sql"
    views.write_text(take([meterhouse(), "--project", folder, "--set", f"warehouse.url={warehouse}", "views"]).output)
    peer = take([sys.executable, REPOSITORY / "benches" / "duckdb_run.py", REPOSITORY / "queries",
                 REPOSITORY / "schemas", views, out, AS_OF, threads])
    print(f"DuckDB             {peer}", flush=True)
    compare(folder, warehouse, peer.output.splitlines()[-1])
    return ours.seconds / peer.seconds


def compare(folder: pathlib.Path, warehouse: pathlib.Path, theirs: str) -> None:
    """Both have made the same money, but for DuckDB's rounding through doubles."""
    query = "select currency, sum(amount) as amount from invoice_line group by currency order by currency"
    ours = take([meterhouse(), "--project", folder, "--set", f"warehouse.url={warehouse}", "--format", "csv",
                 "sql", query]).output.splitlines()[1:]
    for mine, other in zip(ours, theirs.split(), strict=True):
        (currency, amount), (same, peer) = mine.split(","), other.split(",")
        if currency != same or abs(float(amount) - float(peer)) > 1e-6 * abs(float(amount)):
            sys.exit(f"the money differs: {mine} and {other}")


main()
