"""Prints what DuckDB finds in a warehouse: the money of invoice_line by billing
period and currency, and the number of usage records.

    python3 totals.py WAREHOUSE

The Delta logs are read by the deltalake package, which says which files make up
a table; DuckDB reads those files. Nothing of meterhouse is used.
"""

import sys

import duckdb
from deltalake import DeltaTable


def table(warehouse, name):
    files = DeltaTable(f"{warehouse}/{name}").file_uris()
    return duckdb.sql(
        """
        select *
        from read_parquet(
            $files, hive_partitioning = true, hive_types_autocast = false
        )
        """,
        params={"files": files},
    )


warehouse = sys.argv[1]
invoice_line = table(warehouse, "invoice_line")
usage_record = table(warehouse, "usage_record")

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
print(duckdb.sql("select count(*) from usage_record").fetchall()[0][0])
