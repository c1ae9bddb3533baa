"""The peer of the benchmark: DuckDB runs a project's queries over landed Parquet and writes the same stored tables.

    python duckdb_run.py QUERIES SCHEMAS VIEWS OUT AS_OF THREADS

VIEWS is what `meterhouse views` prints of a warehouse that meterhouse has run in: the landed tables, the snapshots of
reference data, the books and `billing_cycle` (DuckDB has no such calendar) are read as they are; all other tables are
made anew in OUT, as zstd Parquet, with the types and partitions of their contract, checks included. The SQL is that of
the project, with the few words that DuckDB spells otherwise replaced. The walks that it cannot do (sessions, grants,
windows of a day) give no rows here: generated usage has none of them, and at the end the money of both is compared. Its
hash is another, so the balance of landings, which meterhouse has hashed, is found to differ.

DuckDB is spared what a contract demands of rows (keys, nulls, CHECKs), the report at the end of a run, names of fields
in another spelling than the record's, and digits: it shares and rounds amounts as doubles.
"""

import collections
import pathlib
import re
import sys
import time
from collections.abc import Callable

import duckdb

GIVEN = {"billing_cycle"}
# These have a column `fields` that no file has: a struct of all columns but those that landing gave the record.
WITH_FIELDS = ("usage_record", "left_usage")
NO_FIELDS = {"landing_sequence", "landing_id", "id_hash", "usage_date", "closed_in"}

MACROS = """
create macro as_bigint(instant timestamptz) as epoch_us(instant), (number) as cast(number as bigint);
create macro as_integer(day date) as day - date '1970-01-01', (number) as cast(number as integer);
create macro local_time(instant, zone) as timezone(zone, instant);
create macro local_date(instant, zone) as cast(timezone(zone, instant) as date);
create macro local_period(instant, zone) as strftime(timezone(zone, instant), '%Y-%m');
create macro to_char(instant, pattern) as strftime(timezone('UTC', cast(instant as timestamptz)), pattern);
create macro landing_of(landing_sequence) as landing_sequence // 1000000000;
create macro prorate(amount, part, whole) as cast(cast(amount as double) * part / whole as decimal(38, 12));
create macro try_prorate(amount, part, whole) as prorate(amount, part, whole);
create macro round_money(amount, decimals, mode) as cast(
    case mode
        when 'half_even' then round_even(cast(amount as double), cast(decimals as integer))
        else round(cast(amount as double), cast(decimals as integer))
    end as decimal(38, 12));
create macro round_ratio(amount, part, whole, decimals, mode) as cast(
    case mode
        when 'ceil' then ceil(cast(amount as double) * part / whole * 10 ** decimals) / 10 ** decimals
        when 'floor' then floor(cast(amount as double) * part / whole * 10 ** decimals) / 10 ** decimals
        else round(cast(amount as double) * part / whole, cast(decimals as integer))
    end as decimal(38, 12));
create macro try_round_ratio(amount, part, whole, decimals, mode) as round_ratio(amount, part, whole, decimals, mode);
create macro try_list_product(factors) as cast(coalesce(list_product(factors), 1) as decimal(38, 12));
create macro field_names(names) as array_to_string(list_sort(list_transform(
    case when names like '{%' then json_keys(names) else string_split(names, ',') end,
    lambda name: lower(regexp_replace(name, '[-_ ]', '', 'g')))), ',');
create macro field_is(fields, name, value) as
    field_text(fields, name) = value or field_number(fields, name) = try_cast(value as decimal(38, 12));
create macro field_trouble(fields, name) as 'no number in ' || name;
create macro key_text(names, texts) as '{' || array_to_string(list_transform(list_zip(names, texts),
    lambda said: concat('"', trim(said[1]), '":', coalesce(to_json(said[2]), 'null'))), ',') || '}';
create macro group_key(object varchar, names) as key_text(string_split(names, ','),
        list_transform(string_split(names, ','), lambda name: json_extract_string(object, trim(name)))),
    (fields, names) as key_text(string_split(names, ','),
        list_transform(string_split(names, ','), lambda name: field_text(fields, trim(name))));
create macro fields_json(fields) as to_json(fields);
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
    sql = sql.replace("row_hash(", "hash(").replace("decimal(76, ", "decimal(38, ")
    sql = sql.replace("$as_of", "cast(getvariable('as_of') as timestamptz)")
    sql = re.sub(r"(first|last)_value\((?=[^()]*order by)", r"\1(", sql)
    return casts_spelled(sql)


def casts_spelled(sql: str) -> str:
    """An instant cast to bigint is its microseconds, a date cast to integer its days. DuckDB refuses both, so a macro
    tells by the type of what is cast; of a count or sum it does not know the type, and those are numbers anyway."""
    start = 0
    while (start := sql.find("cast(", start)) >= 0:
        depth, end = 1, start + 5
        while depth:
            depth += {"(": 1, ")": -1}.get(sql[end], 0)
            end += 1
        operand, _, wanted = sql[start + 5 : end - 1].rpartition(" as ")
        if wanted.strip() in ("bigint", "integer") and not re.search(r"\b(row_number|count|sum)\(", operand):
            sql = f"{sql[:start]}as_{wanted.strip()}({operand}){sql[end:]}"
        start += 5
    return sql


def queries_in(folder: pathlib.Path) -> dict[str, str]:
    """What a run may make, in DuckDB's words. A folder within a stage is a table, too: the rows of its queries."""
    made, parts = {}, collections.defaultdict(list)
    for path in sorted(folder.rglob("*.sql")):
        stage, *within = path.relative_to(folder).parts[:-1]
        if stage == "proof" or stage[0].isdigit():
            made[path.stem] = spelled(path.read_text())
            if within:
                parts[within[-1]].append(f"select * from {path.stem}")
    return {name: " union all by name ".join(selects) for name, selects in parts.items()} | made


def needed(made: dict[str, str], reads: Callable[[str], set[str]], wanted: set[str]) -> list[str]:
    """The wanted tables, and the tables and views that they read, each after what it reads itself."""
    ordered: list[str] = []

    def add(name: str) -> None:
        if name in made and name not in ordered:
            for read in sorted(reads(made[name])):
                add(read)
            ordered.append(name)

    for name in sorted(wanted):
        add(name)
    return ordered


def open_given(database: duckdb.DuckDBPyConnection, views: str) -> dict[str, str]:
    """Opens what meterhouse has published, and tells which fields a usage record has, with their types."""
    # Files that were just written have all columns, and a union with no rows would stay in DuckDB's plans.
    database.execute(re.sub(r"\(select\n[^;]*?\nlimit 0\)\nunion all by name\n", "", views))
    for table in WITH_FIELDS:
        database.execute(f"alter view {table} rename to {table}_file")
        columns = columns_of(database, f"{table}_file")
        fields = {name: kind for name, kind in columns.items() if name not in NO_FIELDS}
        pack = f"struct_pack({', '.join(fields)}) as fields"
        database.execute(f"create view {table} as select *, {pack} from {table}_file")
    return fields


def columns_of(database: duckdb.DuckDBPyConnection, table: str) -> dict[str, str]:
    """The columns of a table or view with their types."""
    return dict(database.execute(f"select column_name, column_type from (describe {table})").fetchall())


def field_macros(fields: dict[str, str]) -> str:
    """The functions that find a field by its name: a column, or what is in the record's JSON."""
    texts, numbers = "", ""
    for name, kind in fields.items():
        is_number = kind.startswith("DECIMAL")
        texts += f" when '{name}' then {'shortest' if is_number else ''}(cast(fields.{name} as varchar))"
        if is_number or kind == "VARCHAR":
            numbers += f" when '{name}' then number(fields.{name})"
    return f"""
        create macro shortest(number) as rtrim(rtrim(number, '0'), '.');
        create macro number(value) as try_cast(value as decimal(38, 12));
        create macro field_text(fields, name) as
            case name {texts} else json_extract_string(fields.attributes, name) end;
        create macro field_number(fields, name) as
            case name {numbers} else number(json_extract_string(fields.attributes, name)) end;"""


def main() -> None:
    queries, schemas, views, out = map(pathlib.Path, sys.argv[1:5])
    as_of, threads = sys.argv[5:7]
    database = duckdb.connect()
    database.execute(f"set threads = {threads}; set TimeZone = 'UTC'; set preserve_insertion_order = false")
    database.execute(f"set temp_directory = '{out}/spill'; set variable as_of = '{as_of}'")
    macros = field_macros(open_given(database, views.read_text())) + MACROS
    database.execute(macros)
    # Where there is no view, names of views are told as they stand, and not what is behind them.
    empty = duckdb.connect()
    empty.execute(macros)
    checks = {path.stem: spelled(path.read_text()) for path in sorted((queries / "checks").glob("*.sql"))}
    made = {name: sql for name, sql in queries_in(queries).items() if name not in GIVEN}
    stored = {name: columns_of(database, name) for name in made if (schemas / f"{name}.sql").exists()}
    for name in made:  # what meterhouse has made of them is not to be read by mistake
        database.execute(f"drop view if exists {name}")
    read = {name for sql in checks.values() for name in empty.get_table_names(sql)}
    for name in needed(made, empty.get_table_names, stored.keys() | read):
        sql, started = made[name], time.monotonic()
        if name not in stored:
            database.execute(f"create view {name} as {sql}")
            continue
        typed = ", ".join(f"cast({column} as {kind}) as {column}" for column, kind in stored[name].items())
        parts = re.search(r"partitioned by \(([^)]*)\)", (schemas / f"{name}.sql").read_text())
        partition = f", partition_by ({parts[1]})" if parts else ""
        target = f"{out}/{name}" if parts else f"{out}/{name}.parquet"
        options = f"format parquet, compression zstd, compression_level 1{partition}"
        database.execute(f"copy (select {typed} from ({sql})) to '{target}' ({options})")
        if parts and not any(pathlib.Path(target).rglob("*.parquet")):
            database.execute(f"create table {name} ({', '.join(map(' '.join, stored[name].items()))})")
        elif parts:
            hive = f"hive_partitioning = true, hive_types = {{'{parts[1]}': varchar}}"
            database.execute(f"create view {name} as from read_parquet('{target}/**/*.parquet', {hive})")
        else:
            database.execute(f"create view {name} as from read_parquet('{target}')")
        print(f"{name}: {time.monotonic() - started:.1f} s", flush=True)
    for name, sql in checks.items():
        rows = database.execute(f"select count(*) from ({sql})").fetchone()[0]
        if rows:
            print(f"check {name}: {rows} rows", flush=True)
    money = database.execute("select currency, sum(amount) from invoice_line group by all order by all").fetchall()
    print(*(f"{currency},{amount}" for currency, amount in money))


if __name__ == "__main__":
    main()
