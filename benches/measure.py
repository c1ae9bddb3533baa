"""Starts commands, and says what each took: seconds on the clock, processor seconds, peak memory."""

import os
import pathlib
import subprocess
import sys
import time
from dataclasses import dataclass

REPOSITORY = pathlib.Path(__file__).resolve().parent.parent

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
    (folder / "meterhouse.toml").write_text(f'extends = "{REPOSITORY}"\ntime_zone = "Europe/Berlin"\n')
