"""Starts commands, and says what each took: seconds on the clock, processor seconds, peak memory."""

import argparse
import contextlib
import os
import pathlib
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass

REPOSITORY = pathlib.Path(__file__).resolve().parent.parent

# The instant for which generated usage is billed, and the zone of its times without an offset.
AS_OF = "2026-11-05T00:00:00Z"
ZONE = "Europe/Berlin"

# The sample's own customers go; what all contracts share, such as prices, stays.
OF_CUSTOMERS = {"customer", "contract", "contract_identifier", "contract_item", "minimum_fee"}


@dataclass
class Took:
    """One finished command."""

    seconds: float
    processor_seconds: float
    peak_gib: float
    output: str

    def __str__(self) -> str:
        return f"{self.seconds:7.1f} s  {self.processor_seconds:7.1f} s of processor  {self.peak_gib:5.2f} GiB at most"


def take(command: list) -> Took:
    """Runs a command to its end; one that fails ends the benchmark with what it said."""
    started = time.monotonic()
    words = [str(word) for word in command]
    process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    output = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    if status != 0:
        sys.exit(f"{' '.join(map(str, command))} failed:\n{output}")
    seconds = time.monotonic() - started
    return Took(seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024 / 1024, output)


def meterhouse() -> pathlib.Path:
    """The program under test: METERHOUSE, or what `cargo build --release` made."""
    target = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", REPOSITORY / "target"))
    program = pathlib.Path(os.environ.get("METERHOUSE", target / "release" / "meterhouse"))
    if not program.exists():
        sys.exit(f"there is no {program}: cargo build --release")
    return program


def sample_project(folder: pathlib.Path, records: int, contracts: int, usage: str,
                   generator: pathlib.Path = REPOSITORY, months: int = 1) -> None:
    """A project that takes its SQL from this repository, with generated contracts and their usage."""
    generated = folder / "data" / "generated"
    take([meterhouse(), "--project", generator, "generate", "--contracts", contracts, "--records", records,
          "--months", months, "--usage", usage, "--to", generated])
    for table in (REPOSITORY / "data").glob("*.csv"):
        lines = table.read_text().splitlines()
        text = lines[:1] if table.stem in OF_CUSTOMERS else lines
        (folder / "data" / table.name).write_text("\n".join(text) + "\n")
    (folder / "meterhouse.toml").write_text(f'extends = "{REPOSITORY}"\ntime_zone = "{ZONE}"\n')


def sizes(what: str) -> argparse.ArgumentParser:
    """The options of a benchmark over one month of generated usage."""
    arguments = argparse.ArgumentParser(description=what, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--records", type=int, default=20_000_000)
    arguments.add_argument("--contracts", type=int, default=100_000)
    arguments.add_argument("--threads", type=int, default=2)
    arguments.add_argument("--folder", type=pathlib.Path, help="keep the data here, and use what is there")
    return arguments


@contextlib.contextmanager
def landed_usage(given: argparse.Namespace) -> Iterator[tuple[pathlib.Path, pathlib.Path]]:
    """The folder of a project whose usage was generated, and a warehouse in which it has landed and nothing was run."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = given.folder.resolve() if given.folder else pathlib.Path(scratch)
        landed = folder / "landed"
        if not landed.exists():
            (folder / "data").mkdir(parents=True)
            sample_project(folder, given.records, given.contracts, "parquet")
            files = sorted((folder / "data" / "generated" / "usage").iterdir())
            print(f"landing            {take([*asked(folder, landed, given.threads), 'land', *files])}", flush=True)
        yield folder, landed


def asked(folder: pathlib.Path, warehouse: pathlib.Path, threads: int) -> list:
    """The words before a command about one of the project's warehouses."""
    return [meterhouse(), "--project", folder, "--as-of", AS_OF, "--set", f"warehouse.url={warehouse}",
            "--set", f"engine.threads={threads}"]


def first_run(folder: pathlib.Path, landed: pathlib.Path, warehouse: pathlib.Path, threads: int) -> Took:
    """A run over landed usage, in a warehouse that takes the place of what was there."""
    shutil.rmtree(warehouse, ignore_errors=True)
    subprocess.run(["cp", "--recursive", "--link", landed, warehouse], check=True)
    return take([*asked(folder, warehouse, threads), "run"])


def medians(tries: list[Took]) -> Took:
    """What one command takes, of several times."""
    seconds, processor_seconds, peak_gib = (
        statistics.median(getattr(took, what) for took in tries)
        for what in ("seconds", "processor_seconds", "peak_gib"))
    return Took(seconds, processor_seconds, peak_gib, tries[0].output)


def beside(ours: float, theirs: float) -> str:
    """Both figures, and what the first is of the second."""
    return f"{ours:10.2f} {theirs:10.2f} {ours / theirs:6.2f}"
