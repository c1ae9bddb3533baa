"""The bill as assets of Dagster: what a run publishes, and the month that is closed.

Load it with `dagster dev -f dagster_asset.py` on a machine that has `meterhouse` and the project, and set the variables
below where it works. The exit statuses are those of docs/daily-operation.md: 1 needs a person, so that there is no
retry; 2 and 75 are tried again.
"""

import json
import os
import subprocess

import dagster as dg

PROGRAM = os.environ.get("METERHOUSE_PROGRAM", "meterhouse")
PROJECT = os.environ.get("METERHOUSE_PROJECT", "/srv/bill")
NEEDS_A_PERSON = 1

PERIODS = dg.MonthlyPartitionsDefinition(start_date="2026-01-01")


def meterhouse(*arguments):
    """What a command prints; what it says goes to standard error."""
    command = [PROGRAM, "--project", PROJECT, *arguments]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True)
    if done.returncode == NEEDS_A_PERSON:
        raise dg.Failure("meterhouse needs a person: its log says for what", allow_retries=False)
    if done.returncode != 0:
        raise dg.RetryRequested(max_retries=3, seconds_to_wait=60)
    return done.stdout


@dg.asset(group_name="billing")
def invoice_line() -> dg.MaterializeResult:
    """The lines of all open billing periods."""
    report = json.loads(meterhouse("--format", "json", "run", "--by", "dagster"))["run"]
    steps = {step["table"]: step.get("rows") for step in report["steps"]}
    # Lines of parked customers are not to be invoiced before somebody has looked.
    metadata = {"published": report["published"] or "nothing to do", "parked": report["parked"], "rows": steps}
    return dg.MaterializeResult(metadata=metadata)


@dg.asset(group_name="billing", partitions_def=PERIODS, deps=[invoice_line])
def closed_period(context: dg.AssetExecutionContext) -> None:
    """A billing period that never changes again."""
    period = context.partition_key[:7]
    meterhouse("close", "--period", period, "--confirm", period, "--by", "dagster")


hourly = dg.ScheduleDefinition(name="hourly", target=[invoice_line], cron_schedule="7 * * * *")
# On the 2nd of November at six this closes October.
monthly = dg.build_schedule_from_partitioned_job(
    dg.define_asset_job("close", selection=[closed_period]), day_of_month=2, hour_of_day=6
)

defs = dg.Definitions(assets=[invoice_line, closed_period], schedules=[hourly, monthly])
