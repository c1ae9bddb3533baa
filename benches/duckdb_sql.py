"""SQL files in DuckDB, one after the other; what the last one yields is printed as CSV.

    python duckdb_sql.py [--database FILE] [--folder DIR] [--threads 2] [--set NAME=VALUE]... FILE...

The files find what is set by `getvariable('NAME')`. A database that is named is opened to be read.
"""

import argparse
import os
import pathlib

import duckdb


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--database", type=pathlib.Path)
    arguments.add_argument("--folder", type=pathlib.Path, help="files are written here")
    arguments.add_argument("--threads", type=int, default=2)
    arguments.add_argument("--set", action="append", default=[], metavar="NAME=VALUE")
    arguments.add_argument("files", nargs="+", type=pathlib.Path)
    given = arguments.parse_args()
    database = duckdb.connect(given.database or ":memory:", read_only=given.database is not None)
    database.execute(f"set threads = {given.threads}; set TimeZone = 'UTC'; set preserve_insertion_order = false")
    for name, value in (pair.split("=", 1) for pair in given.set):
        database.execute(f"set variable {name} = '{value}'")
    if given.folder:
        os.chdir(given.folder)
    *before, last = [file.read_text() for file in given.files]
    for sql in before:
        database.execute(sql)
    database.sql(last).write_csv("/dev/stdout")


main()
