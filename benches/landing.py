"""Landing generated usage from NDJSON, CSV and Parquet: records a second, and processor seconds a million records.

    python benches/landing.py [--records 4000000] [--rounds 3]
"""

import argparse
import pathlib
import shutil
import statistics
import tempfile

from measure import meterhouse, sample_project, take


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--records", type=int, default=4_000_000)
    arguments.add_argument("--rounds", type=int, default=3)
    given = arguments.parse_args()
    for usage in ("ndjson", "csv", "parquet"):
        with tempfile.TemporaryDirectory() as scratch:
            folder = pathlib.Path(scratch)
            (folder / "data").mkdir()
            sample_project(folder, given.records, 10_000, usage)
            file = max((folder / "data" / "generated" / "usage").iterdir(), key=lambda file: file.stat().st_size)
            rounds = []
            for _ in range(given.rounds):
                warehouse = folder / "warehouse"
                shutil.rmtree(warehouse, ignore_errors=True)
                rounds.append(take([meterhouse(), "--project", folder, "--set", f"warehouse.url={warehouse}",
                                    "land", file]))
            seconds = statistics.median(took.seconds for took in rounds)
            processor = statistics.median(took.processor_seconds for took in rounds) / given.records * 1e6
            size = file.stat().st_size / 1e6
            print(f"{usage:8} {given.records / seconds:10,.0f} records/s  {size / seconds:6.0f} MB/s  "
                  f"{processor:5.2f} s of processor a million  "
                  f"{max(took.peak_gib for took in rounds):5.2f} GiB at most", flush=True)


main()
