"""What the commands for a cluster show as tables."""

from datetime import datetime

from rich.table import Column, Table

from tautune.cluster.doctor.diagnosis import Verdict
from tautune.cluster.remote.jobs import Json


def jobs_table(records: list[Json]) -> Table:
    """Returns a row for each of `list_jobs`."""
    table = Table("job", "status", "started", Column("took", no_wrap=True), "command")
    for record in records:
        begun = datetime.fromtimestamp(record["started"]).strftime("%Y-%m-%d %H:%M:%S")
        table.add_row(record["job"], record["status"], begun, f"{record['seconds']:.0f} s", record["command"])
    return table


def verdicts_table(verdicts: list[Verdict]) -> Table:
    """Returns a row for each check of the doctor's."""
    table = Table("check", "", "found", "remedy")
    for verdict in verdicts:
        table.add_row(verdict.check, "ok" if verdict.ok else "NOT OK", verdict.found, verdict.remedy)
    return table
