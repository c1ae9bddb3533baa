"""Opens a warehouse in DuckDB by the SQL that `meterhouse views` printed, and
prints the columns and the number of rows of every table, then the money of
invoice_line by billing period and currency.

    python3 views.py VIEWS.sql
"""

import sys

import duckdb

with open(sys.argv[1]) as views:
    duckdb.sql(views.read())

names = duckdb.sql(
    "select view_name from duckdb_views() where not internal order by view_name"
)
for (name,) in names.fetchall():
    table = duckdb.sql(f'from "{name}"')
    columns = ",".join(f"{column} {kind}" for column, kind in zip(table.columns, table.types))
    print(f"{name}: {table.count('*').fetchall()[0][0]} rows of {columns}")
totals = duckdb.sql(
    """
    select billing_period, currency, sum(amount)
    from invoice_line
    group by billing_period, currency
    order by billing_period, currency
    """
)
for billing_period, currency, amount in totals.fetchall():
    print(f"{billing_period},{currency},{amount:f}")
