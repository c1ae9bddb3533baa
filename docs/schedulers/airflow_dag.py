"""Runs the bill every hour, and closes the month on the 2nd, by Airflow 3.

Put it into the folder of DAGs of a machine that has `meterhouse` and the project, and set the variables below where
the tasks run. The exit statuses are those of docs/daily-operation.md: 1 needs a person, so that the task fails at
once; 2 and 75 are tried again.
"""

import json
import os
import subprocess
from datetime import datetime, timedelta, timezone

from airflow.sdk import DAG, get_current_context, task
from airflow.sdk.exceptions import AirflowException, AirflowFailException

PROGRAM = os.environ.get("METERHOUSE_PROGRAM", "meterhouse")
PROJECT = os.environ.get("METERHOUSE_PROJECT", "/srv/bill")
NEEDS_A_PERSON = 1

RETRIES = {"retries": 3, "retry_delay": timedelta(minutes=1)}


def meterhouse(*arguments):
    """What a command prints; what it says goes to the log of the task."""
    command = [PROGRAM, "--project", PROJECT, *arguments]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True)
    if done.returncode == NEEDS_A_PERSON:
        raise AirflowFailException("meterhouse needs a person: the log says for what")
    if done.returncode != 0:
        raise AirflowException(f"meterhouse ended with {done.returncode}")
    return done.stdout


with DAG(
    "meterhouse_run",
    schedule="7 * * * *",
    start_date=datetime(2026, 1, 1, tzinfo=timezone.utc),
    catchup=False,
    max_active_runs=1,
    default_args=RETRIES,
) as run_dag:

    @task
    def run():
        report = json.loads(meterhouse("--format", "json", "run", "--by", "airflow"))["run"]
        # Their lines are not to be invoiced before somebody has looked.
        if report["parked"]:
            print(f"held back by a check: {report['parked']}")
        return report["published"]

    run()


with DAG(
    "meterhouse_close",
    schedule="0 6 2 * *",
    start_date=datetime(2026, 1, 1, tzinfo=timezone.utc),
    catchup=False,
    max_active_runs=1,
    default_args=RETRIES,
) as close_dag:

    @task
    def close():
        # On the 2nd of November this is October; who triggers it by hand may give another date.
        context = get_current_context()
        day = context.get("data_interval_end") or context["dag_run"].run_after
        period = (day.replace(day=1) - timedelta(days=1)).strftime("%Y-%m")
        meterhouse("close", "--period", period, "--confirm", period, "--by", "airflow")
        return period

    close()
