"""The peer of the benchmark: DuckDB runs a project's queries over landed Parquet and writes the same stored tables.

    python duckdb_run.py QUERIES SCHEMAS WAREHOUSE OUT [THREADS]

WAREHOUSE is one that meterhouse has run in: its landed tables, its snapshots of reference data and its
`billing_cycle` (DuckDB has no such calendar) are read as they are; all other tables are made anew in OUT, as zstd
Parquet, partitioned as their contract says, checks included. The SQL is that of the project, with the few words that
DuckDB spells otherwise replaced.
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
create macro json_decimal(attributes, field) as
    try_cast(json_extract_string(attributes, field) as decimal(38, 12));
"""


def spelled(sql: str) -> str:
    """The same query as DuckDB spells it."""
    sql = re.sub(r"--[^\n]*", "", sql)
    sql = sql.replace("row_hash(", "hash(")
    sql = re.sub(r"cast\((local_date\([^()]*\)) as integer\)", r"(\1 - date '1970-01-01')", sql)
    sql = sql.replace("landing_sequence / 1000000000", "landing_sequence // 1000000000")
    return as_microseconds(sql)


def as_microseconds(sql: str) -> str:
    """An instant cast to bigint is its microseconds; DuckDB has a function for it."""
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
        start += 5
    return sql


def main() -> None:
    queries, schemas, warehouse, out = map(pathlib.Path, sys.argv[1:5])
    threads = sys.argv[5] if len(sys.argv) > 5 else "2"
    database = duckdb.connect()
    database.execute(f"set threads = {threads}; set TimeZone = 'UTC'; set preserve_insertion_order = false")
    database.execute(f"set temp_directory = '{out}/spill'")
    database.execute(MACROS)
    made = {path.stem.split("_", 1)[1]: path for path in sorted(queries.glob("*.sql"))}
    for schema in sorted(schemas.glob("*.sql")):
        name = schema.stem
        if name in made and name not in GIVEN:
            continue
        files = f"{warehouse}/{name}/**/*.parquet"
        hive = "hive_types_autocast = true, " if "partitioned by" in schema.read_text() else ""
        if any((warehouse / name).rglob("*.parquet")):
            database.execute(f"create view {name} as from read_parquet('{files}', {hive}hive_partitioning = true)")
        else:
            column = r"^    (\w+) (varchar|bigint|integer|timestamp|date|decimal\([^)]*\))"
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
    for path in sorted((queries / "checks").glob("*.sql")):
        rows = database.execute(f"select count(*) from ({spelled(path.read_text())})").fetchone()[0]
        if rows:
            print(f"check {path.stem}: {rows} rows", flush=True)
    money = database.execute("select currency, sum(amount) from invoice_line group by all order by all").fetchall()
    print(*(f"{currency},{amount}" for currency, amount in money))


main()
