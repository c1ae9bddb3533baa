"""What a run costs after a change, against the first run over generated usage.

    python benches/change.py [--records 20000000] [--contracts 100000] [--threads 2] [--folder here]

One in a hundred of the contracts for API calls has a price and a quota that the others have not. Each change is made
alone, to a copy of the warehouse as the first run left it. Needs `pip install duckdb==2.0.0`.
"""

import contextlib
import pathlib
import shutil
import subprocess
from collections.abc import Iterator

import duckdb
from measure import Took, asked, first_run, landed_usage, sizes, take

# Of so many contracts for API calls one has a price and a quota of its own.
OWN = 100
NEW_CONTRACT = {
    "customer": "new,New customer",
    "contract": "new,new,USD,America/New_York,month,2026-01-01,2026-08-01T00:00:00-04:00,",
    "contract_identifier": "account_id,account-new,new,2026-08-01T00:00:00-04:00,",
    "contract_item": "new-calls,new,api_call,API calls,api_call,quantity,,call,api_included,contract,3,suspend,"
                     "overage,2026-08-01T00:00:00-04:00,",
}


def main() -> None:
    given = sizes(__doc__).parse_args()
    with landed_usage(given) as (folder, landed):
        generated = folder / "data" / "generated"
        with own_prices(generated):
            base = folder / "base"
            first = first_run(folder, landed, base, given.threads)
            print(f"{'the first run':44} {first}", flush=True)
            changed = Changed(folder, base, given.threads, first)
            changed.run("nothing new")
            changed.land("one more record", one_record(folder))
            changed.land("1 % more, of which 1 % came before, 1 % late", one_percent(folder))
            with edited(generated / "price.csv", lambda text: text.replace(",0.0123,", ",0.0124,")):
                changed.run("one price, of 1 % of the contracts for calls")
            with edited(generated / "quota.csv", lambda text: text.replace("api_own,1000,", "api_own,1001,")):
                changed.run("one quota, of 1 % of the contracts for calls")
            with contextlib.ExitStack() as files:
                for table, row in NEW_CONTRACT.items():
                    with_row = lambda text, row=row: f"{text.rstrip()}\n{row}\n"
                    files.enter_context(edited(generated / f"{table}.csv", with_row))
                changed.run("one new contract")


class Changed:
    """Runs over copies of a warehouse, and prints what each took."""

    def __init__(self, folder: pathlib.Path, base: pathlib.Path, threads: int, first: Took) -> None:
        self.folder, self.base, self.threads, self.first = folder, base, threads, first

    def run(self, what: str, usage: pathlib.Path | None = None) -> None:
        """One change; usage is landed before what is measured."""
        warehouse = self.folder / "changed"
        shutil.rmtree(warehouse, ignore_errors=True)
        subprocess.run(["cp", "--recursive", "--link", self.base, warehouse], check=True)
        words = asked(self.folder, warehouse, self.threads)
        if usage:
            take([*words, "land", usage])
        took = take([*words, "run"])
        share = 100 * took.processor_seconds / self.first.processor_seconds
        print(f"{what:44} {took}  {share:5.1f} % of the first", flush=True)
        shutil.rmtree(warehouse)

    def land(self, what: str, usage: pathlib.Path) -> None:
        """One change that is a file of usage."""
        self.run(what, usage)
        usage.unlink()


@contextlib.contextmanager
def edited(path: pathlib.Path, edit) -> Iterator[None]:
    """A file that is another while this lasts."""
    text = path.read_text()
    path.write_text(edit(text))
    try:
        yield
    finally:
        path.write_text(text)


@contextlib.contextmanager
def own_prices(generated: pathlib.Path) -> Iterator[None]:
    """A price and a quota that only some of the contracts have."""
    def items(text: str) -> str:
        lines = text.splitlines()
        calls = [number for number, line in enumerate(lines) if ",api_call,API calls," in line]
        for number in calls[::OWN]:
            own = lines[number].replace(",api_call,API calls,", ",api_call_own,API calls,")
            lines[number] = own.replace(",api_included,", ",api_own,")
        return "\n".join(lines) + "\n"

    price = "api_call_own-2026,api_call_own,per_unit,0.0123,,arrears,none,2026-01-01,"
    with (edited(generated / "contract_item.csv", items),
          edited(generated / "price.csv", lambda text: f"{text.rstrip()}\n{price}\n"),
          edited(generated / "quota.csv", lambda text: f"{text.rstrip()}\napi_own,1000,none,2026-01-01,\n")):
        yield


def one_record(folder: pathlib.Path) -> pathlib.Path:
    path = folder / "one.ndjson"
    path.write_text('{"source":"usage","transaction_id":"one-more","usage_type":"api_call","quantity":1,'
                    '"usage_start":"2026-10-15T10:00:00Z","account_id":"account-api-000000"}\n')
    return path


def one_percent(folder: pathlib.Path) -> pathlib.Path:
    """Each hundredth record under another id; of a hundred of these one has its own again, and one is of August."""
    path = folder / "more.parquet"
    usage = folder / "data" / "generated" / "usage" / "*.parquet"
    late = ", ".join(f"if(is_late, replace({time}, '2026-10-', '2026-08-'), {time}) as {time}"
                     for time in ("usage_start", "usage_end"))
    duckdb.sql(f"""
        copy (
            select * exclude (place, is_late) replace (
                if(place % 10000 = 0, transaction_id, 'more-' || transaction_id) as transaction_id,
                {late})
            from (
                select
                    *,
                    row_number() over () as place,
                    place % 10000 = 5000 and usage_start like '2026-10-%'
                    and coalesce(usage_end, usage_start) like '2026-10-%' as is_late
                from read_parquet('{usage}', union_by_name = true))
            where place % 100 = 0
        ) to '{path}'""")
    return path


main()
