"""The peer of the benchmark: DuckDB runs a project's queries over landed Parquet and writes the same stored tables.

    python duckdb_run.py QUERIES SCHEMAS WAREHOUSE OUT [THREADS]

WAREHOUSE is one that meterhouse has run in: its landed tables, its snapshots of reference data and its
`billing_cycle` (DuckDB has no such calendar) are read as they are; all other tables are made anew in OUT, as zstd
Parquet, partitioned as their contract says, checks included. The SQL is that of the project, with the few words that
DuckDB spells otherwise replaced. The walks that it cannot do (sessions, grants, windows of a day) give no rows here:
generated usage has none of them, and at the end the money of both is compared. Its hash is another, so the balance of
landings, which meterhouse has hashed, is found to differ.
"""

import pathlib
import re
import sys
import time

import duckdb

GIVEN = {"billing_cycle"}

MACROS = """
create macro local_time(instant, zone) as timezone(zone, instant);
create macro local_date(instant, zone) as cast(timezone(zone, instant) as date);
create macro local_period(instant, zone) as strftime(timezone(zone, instant), '%Y-%m');
create macro to_char(instant, pattern) as strftime(timezone('UTC', instant), pattern);
create macro prorate(amount, part, whole) as cast(amount * part / whole as decimal(38, 12));
create macro round_money(amount, decimals, mode) as
    cast(round(cast(amount as double), cast(decimals as integer)) as decimal(38, 12));
create macro round_ratio(amount, part, whole, decimals, mode) as cast(
    case mode
        when 'ceil' then ceil(cast(amount as double) * part / whole * 10 ** decimals) / 10 ** decimals
        when 'floor' then floor(cast(amount as double) * part / whole * 10 ** decimals) / 10 ** decimals
        else round(cast(amount as double) * part / whole, cast(decimals as integer))
    end as decimal(38, 12));
create macro json_decimal(attributes, field) as
    try_cast(json_extract_string(attributes, field) as decimal(38, 12));
create macro json_text(attributes, field) as json_extract_string(attributes, field);
create macro json_fields(attributes, fields) as cast(
    list_transform(string_split(fields, ','), lambda field: json_extract_string(attributes, field)) as varchar);
create macro landing_of(landing_sequence) as landing_sequence // 1000000000;
create macro list_product(factors) as
    cast(list_reduce(list_transform(factors, lambda factor: cast(factor as double)), lambda so_far, factor: so_far * factor)
    as decimal(38, 12));
create macro billing_cycles(a, b, c, d, e, f, g, h, i) as
    cast(null as struct(cycle_number bigint, cycle_start timestamptz, cycle_end timestamptz, full_start timestamptz,
    full_end timestamptz, billing_period varchar)[]);
create macro session_steps(session_start, length, zone, schedule, window_at) as
    cast(null as struct(run_number integer, window_number integer, rate_number integer, step_count bigint)[]);
create macro burn_down(steps) as
    cast(null as struct(read_number integer, place integer, balance decimal(38, 12), used decimal(38, 12),
    overage decimal(38, 12))[]);
"""


def spelled(sql: str) -> str:
    """The same query as DuckDB spells it."""
    sql = re.sub(r"--[^\n]*", "", sql)
    sql = sql.replace("row_hash(", "hash(")
    sql = re.sub(r"(first|last)_value\((?=[^()]*order by)", r"\1(", sql)
    return casts_spelled(sql)


def casts_spelled(sql: str) -> str:
    """An instant cast to bigint is its microseconds, a date cast to integer its days; DuckDB has other words."""
    start = 0
    while (start := sql.find("cast(", start)) >= 0:
        depth, end = 1, start + 5
        while depth:
            depth += {"(": 1, ")": -1}.get(sql[end], 0)
            end += 1
        inside = sql[start + 5 : end - 1]
        operand, _, wanted = inside.rpartition(" as ")
        if wanted.strip() == "bigint" and not re.search(r"row_number|count|sum|^\s*(null|\d+)\s*$", operand):
            sql = f"{sql[:start]}epoch_us({operand}){sql[end:]}"
        elif wanted.strip() == "integer" and re.search(r"local_date\(|\.day_(from|to)$", operand.strip()):
            sql = f"{sql[:start]}({operand} - date '1970-01-01'){sql[end:]}"
        start += 5
    return sql


def words(path: pathlib.Path) -> set[str]:
    """All words of a query, its comments left out."""
    return set(re.findall(r"\w+", re.sub(r"--[^\n]*", "", path.read_text())))


def needed(made: dict[str, pathlib.Path], schemas: pathlib.Path, checks: list[pathlib.Path]) -> dict[str, pathlib.Path]:
    """What a run makes, in order: tables, what checks read, and the views behind them; others are only asked for."""
    reads = {name: words(path) & made.keys() - {name} for name, path in made.items()}
    wanted = {name for name in made if (schemas / f"{name}.sql").exists()}
    wanted |= {name for check in checks for name in words(check) & made.keys()}
    while more := {name for reader in wanted for name in reads[reader]} - wanted:
        wanted |= more
    return in_order({name: path for name, path in made.items() if name in wanted}, reads)


def in_order(made: dict[str, pathlib.Path], reads: dict[str, set[str]]) -> dict[str, pathlib.Path]:
    """Each query after those that it reads."""
    ordered: dict[str, pathlib.Path] = {}
    while len(ordered) < len(made):
        ready = {name: made[name] for name in made if name not in ordered and reads[name] <= ordered.keys()}
        if not ready:
            sys.exit(f"these queries read each other: {', '.join(made.keys() - ordered.keys())}")
        ordered |= ready
    return ordered


def main() -> None:
    queries, schemas, warehouse, out = map(pathlib.Path, sys.argv[1:5])
    threads = sys.argv[5] if len(sys.argv) > 5 else "2"
    database = duckdb.connect()
    database.execute(f"set threads = {threads}; set TimeZone = 'UTC'; set preserve_insertion_order = false")
    database.execute(f"set temp_directory = '{out}/spill'")
    database.execute(MACROS)
    checks = sorted((queries / "checks").glob("*.sql"))
    stages = [path for path in queries.rglob("*.sql") if re.match(r"[0-9]|proof", str(path.relative_to(queries)))]
    made = needed({path.stem: path for path in sorted(stages)}, schemas, checks)
    for schema in sorted(schemas.glob("*.sql")):
        name = schema.stem
        if name in made and name not in GIVEN:
            continue
        files = f"{warehouse}/{name}/**/*.parquet"
        hive = "hive_types_autocast = true, " if "partitioned by" in schema.read_text() else ""
        if any((warehouse / name).rglob("*.parquet")):
            database.execute(f"create view {name} as from read_parquet('{files}', {hive}hive_partitioning = true)")
        else:
            column = r"^    (\w+) (varchar|bigint|integer|boolean|timestamp|date|decimal\([^)]*\))"
            columns = re.findall(column, schema.read_text(), re.M)
            typed = ", ".join(f"{name} {kind.replace('timestamp', 'timestamptz')}" for name, kind in columns)
            database.execute(f"create table {name} ({typed})")
    for name, path in made.items():
        if name in GIVEN:
            continue
        started = time.monotonic()
        sql = spelled(path.read_text())
        schema = schemas / f"{name}.sql"
        if not schema.exists():
            database.execute(f"create view {name} as {sql}")
            continue
        parts = re.search(r"partitioned by \(([^)]*)\)", schema.read_text())
        partition = f", partition_by ({parts[1]})" if parts else ""
        target = f"{out}/{name}" if parts else f"{out}/{name}.parquet"
        options = f"format parquet, compression zstd, compression_level 1{partition}"
        database.execute(f"copy ({sql}) to '{target}' ({options})")
        files = f"{target}/**/*.parquet" if parts else target
        if parts and not any(pathlib.Path(target).rglob("*.parquet")):
            database.execute(f"create table {name} as select * from ({sql}) limit 0")
        else:
            hive = f", hive_types = {{'{parts[1]}': varchar}}" if parts else ""
            read = f"read_parquet('{files}', hive_partitioning = {bool(parts)}{hive})"
            database.execute(f"create view {name} as from {read}")
        print(f"{name}: {time.monotonic() - started:.1f} s", flush=True)
    for path in checks:
        rows = database.execute(f"select count(*) from ({spelled(path.read_text())})").fetchone()[0]
        if rows:
            print(f"check {path.stem}: {rows} rows", flush=True)
    money = database.execute("select currency, sum(amount) from invoice_line group by all order by all").fetchall()
    print(*(f"{currency},{amount}" for currency, amount in money))


main()
