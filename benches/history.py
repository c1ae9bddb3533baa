"""What closed months cost: a warehouse with a history against one that has the open month alone.

    python benches/history.py [--months 12] [--records 2000000] [--contracts 10000] [--threads 2]

Each month has the same usage. Month after month is landed and run, and then the one before is closed; the last stays
open. Then the same is done to both warehouses: a small file lands, a run follows it, and what people ask is asked.
"""

import argparse
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from measure import AS_OF, REPOSITORY, Took, meterhouse, sample_project, take

OPEN = "2026-10"
# The tables of a run from here on are made from open usage.
FROM = "guiding"
# Where contracts begin at the offset that generated ones are given, which is that of the summer.
OFFSETS = {"'api' then '-04:00'": "America/New_York", "'storage' then '+01:00'": "Europe/London",
           "'support' then '-05:00'": "America/Chicago", "'phone' then '-06:00'": "America/Denver",
           "else '+02:00'": "Europe/Berlin"}


@dataclass
class Apart:
    """Processor seconds of a run, and those of them since the tables before guiding were there."""

    whole: Took
    since: float


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--months", type=int, default=12, help="closed months")
    arguments.add_argument("--records", type=int, default=2_000_000, help="usage records of a month")
    arguments.add_argument("--contracts", type=int, default=10_000)
    arguments.add_argument("--threads", type=int, default=2)
    arguments.add_argument("--folder", type=pathlib.Path, help="keep the warehouses here, and use what is there")
    given = arguments.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = given.folder or pathlib.Path(scratch)
        closings = {}
        for name, months in (("alone", 0), ("history", given.months)):
            closings[name] = build(folder / name, months, given)
        alone, history = (measured(folder / name, folder / f"{name}-tried", given) for name in ("alone", "history"))
        print(f"\n{given.months} closed months and one open, against the open one alone; {given.records} records a month")
        print(f"{'':28} {'processor s':>20} {'':>6} {'most memory, GiB':>20}")
        for what in alone:
            show(what, alone[what], history[what])
        closed = closings["history"]
        if len(closed) > 2:
            show(f"close month {len(closed)} against 2", closed[1], closed[-1])


def show(what: str, one: tuple[float, float], other: tuple[float, float]) -> None:
    """One line: both figures, and what the second is of the first."""
    (seconds, peak), (seconds_of, peak_of) = one, other
    print(f"{what:28} {seconds:9.2f} {seconds_of:10.2f} {seconds_of / seconds:6.2f} "
          f"{peak:9.2f} {peak_of:10.2f} {peak_of / peak:6.2f}")


def before(month: str, months: int) -> str:
    """The month so many months earlier."""
    number = int(month[:4]) * 12 + int(month[5:]) - 1 - months
    return f"{number // 12:04}-{number % 12 + 1:02}"


def project(folder: pathlib.Path, first: str, records: int, contracts: int) -> None:
    """A project whose contracts begin in one month, and as much usage in each month from there to the open one."""
    (folder / "data").mkdir(parents=True)
    own = folder / "queries" / "generate"
    own.mkdir(parents=True)
    second = subprocess.run(["date", "-u", "-d", f"{first}-17T00:00:00{offset('Europe/Berlin', first)}", "+%s"], capture_output=True, text=True)
    # The year first, because the others may write that day.
    changes = [("2026-01-01", "2020-01-01"), ("2026-08-01T", f"{first}-01T"), ("'2026-08-'", f"'{first}-'"),
               ("2026-09-16", "2026-10-18"), ("1786975200", second.stdout.strip()), ("then 2419200", "then 0")]
    changes += [(summer, f"{summer[:-8]}'{offset(zone, first)}'") for summer, zone in OFFSETS.items()]
    for query in (REPOSITORY / "queries" / "generate").glob("*.sql"):
        (own / query.name).write_text(replaced(query.read_text(), changes))
    sample_project(folder, records, contracts, "parquet", folder, 3)
    for table in (folder / "data").glob("*.csv"):
        table.write_text(replaced(table.read_text(), changes))


def offset(zone: str, month: str) -> str:
    """How far a zone is from UTC when a month begins, as a time is written: a contract begins at local midnight."""
    return datetime.fromisoformat(f"{month}-01").replace(tzinfo=ZoneInfo(zone)).isoformat()[-6:]


def replaced(text: str, changes: list[tuple[str, str]]) -> str:
    for old, new in changes:
        text = text.replace(old, new)
    return text


def build(folder: pathlib.Path, months: int, given: argparse.Namespace) -> list[tuple[float, float]]:
    """Lands, runs and closes; what each closing took."""
    figures = folder / "closings"
    if figures.exists():
        return [tuple(map(float, line.split())) for line in figures.read_text().splitlines()]
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    (folder / "meterhouse.toml").write_text(f'extends = "{REPOSITORY}"\ntime_zone = "Europe/Berlin"\n')
    first = before(OPEN, months)
    project(folder, first, given.records * (months + 1), given.contracts)
    closings = []
    for number in range(months + 1):
        month = before(OPEN, months - number)
        as_of = f"{before(month, -1)}-05T00:00:00Z"
        usage = sorted((folder / "data" / "generated" / "usage").glob(f"{month}*"))
        ask(folder, folder / "warehouse", given, as_of, "land", *usage)
        ask(folder, folder / "warehouse", given, as_of, "run")
        if number > 0:
            closes = before(month, 1)
            took = ask(folder, folder / "warehouse", given, as_of, "close", "--period", closes, "--confirm", closes)
            closings.append((took.processor_seconds, took.peak_gib))
            print(f"{folder.name}: {closes} closed  {took}", flush=True)
    figures.write_text("".join(f"{seconds} {peak}\n" for seconds, peak in closings))
    return closings


def ask(folder: pathlib.Path, warehouse: pathlib.Path, given: argparse.Namespace, as_of: str, *words) -> Took:
    return take(command(folder, warehouse, given, as_of) + list(words))


def command(folder: pathlib.Path, warehouse: pathlib.Path, given: argparse.Namespace, as_of: str) -> list:
    return [meterhouse(), "--project", folder, "--as-of", as_of, "--set", f"warehouse.url={warehouse}",
            "--set", f"engine.threads={given.threads}"]


def measured(folder: pathlib.Path, tried: pathlib.Path, given: argparse.Namespace) -> dict[str, tuple[float, float]]:
    """What is asked of a copy of the warehouse, and what that took."""
    shutil.rmtree(tried, ignore_errors=True)
    subprocess.run(["cp", "--recursive", "--link", folder / "warehouse", tried], check=True)
    late = folder / "more.csv"
    late.write_text("transaction_id,usage_type,usage_start,account_id,quantity,unit\n" + "".join(
        f"more-{number},call,2026-10-{number % 28 + 1:02}T12:00:00Z,account-phone-{number % 9 + 1:06},1,minute\n"
        for number in range(1000)))
    ask(folder, tried, given, AS_OF, "land", late)
    run = apart(command(folder, tried, given, AS_OF) + ["run"])
    found = {"run": run.whole, f"  {FROM} and what follows": Took(0, run.since, run.whole.peak_gib, "")}
    found["status"] = ask(folder, tried, given, AS_OF, "status")
    query = f"select count(*), sum(quantity), sum(amount) from usage_statement where billing_period = '{OPEN}'"
    found["sql over one period"] = ask(folder, tried, given, AS_OF, "sql", query)
    found["export of one period"] = ask(folder, tried, given, AS_OF, "export", "--period", OPEN, "--to", tried / "out")
    found["close"] = ask(folder, tried, given, AS_OF, "close", "--period", OPEN, "--confirm", OPEN)
    shutil.rmtree(tried)
    return {what: (took.processor_seconds, took.peak_gib) for what, took in found.items()}


def apart(words: list) -> Apart:
    """A run that is watched: what the processor had worked when the tables before guiding were there."""
    started, ticks = time.monotonic(), os.sysconf("SC_CLK_TCK")
    process = subprocess.Popen([str(word) for word in words], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
                               text=True)
    told, output = [(0.0, 0.0)], ""
    since = None
    for line in process.stderr:
        output += line
        fields = pathlib.Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()
        now = (time.monotonic() - started, (int(fields[11]) + int(fields[12])) / ticks)
        if since is None and re.search(rf"\b{FROM}: ", line):
            # Tables that were made side by side are told of together.
            since = [cpu for told_at, cpu in told if told_at < now[0] - 0.05][-1]
        told.append(now)
    _, status, usage = os.wait4(process.pid, 0)
    if status != 0 or since is None:
        sys.exit(f"the run failed, or made no {FROM}:\n{output}")
    seconds = usage.ru_utime + usage.ru_stime
    whole = Took(time.monotonic() - started, seconds, usage.ru_maxrss / 1024 / 1024, output)
    return Apart(whole, seconds - since)


main()
