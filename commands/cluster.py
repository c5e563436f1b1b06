"""The commands for a cluster: up, down, submit, jobs, logs, stop, fetch, doctor."""

import json
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from tautune.commands.fitted_table import print_whole
from tautune.commands.help_texts import CLUSTER, examples
from tautune.commands.screen import working
from tautune.records.errors import InputError, user_input

cluster_commands = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
File = Annotated[Path, typer.Argument(metavar="CLUSTER.yaml", help="As for `ray up`.")]
Cluster = Annotated[Path, typer.Option("--cluster", help="The file that the cluster was brought up with.")]
Job = Annotated[str, typer.Argument(help="A job's id; see `tautune jobs`.")]
DEFAULT = Path("cluster.yaml")


@cluster_commands.command(rich_help_panel=CLUSTER)
def up(
    file: File = DEFAULT,
    update: Annotated[
        bool, typer.Option("--update", help="Send the files again and restart a running cluster.")
    ] = False,
) -> None:
    """Bring a cluster up by `ray up`, with a token, after checking all that it needs."""
    from tautune.cluster.remote.cluster_file import read_cluster_file
    from tautune.cluster.remote.launcher import up as bring_up

    bring_up(read_cluster_file(file), update=update, console=Console())


@cluster_commands.command(rich_help_panel=CLUSTER)
def down(file: File = DEFAULT) -> None:
    """Take a cluster down."""
    from tautune.cluster.remote.cluster_file import read_cluster_file
    from tautune.cluster.remote.launcher import down as take_down

    take_down(read_cluster_file(file), console=Console())


@cluster_commands.command(rich_help_panel=CLUSTER, epilog=examples("submit"))
def submit(
    context: typer.Context,
    arguments: Annotated[
        list[str], typer.Argument(metavar="-- COMMAND ...", help="As in: -- sweep digits --delays 0,1")
    ],
    cluster: Cluster = DEFAULT,
    follow: Annotated[bool, typer.Option("--follow", help="Show what the job prints until it ends.")] = False,
    name: Annotated[
        str | None, typer.Option(help="Name of the job and its run.", show_default="made up, and unique")
    ] = None,
    working_dir: Annotated[Path, typer.Option(help="Folder that the job takes along and runs in.")] = Path(),
    requirements: Annotated[
        Path | None, typer.Option(help="File of further packages that your own study needs.")
    ] = None,
) -> None:
    """Run a tautune command on the cluster."""
    from tautune.cluster.remote.cluster_file import read_cluster_file
    from tautune.cluster.remote.jobs import submit as submit_job
    from tautune.commands.submitted import check_command, with_points

    folder = working_dir.resolve()
    if not folder.is_dir():
        raise InputError(f"--working-dir: there is no folder {folder}")
    arguments = with_points(arguments, folder)
    check_command(context.find_root().command, arguments, folder)
    submit_job(
        read_cluster_file(cluster),
        arguments,
        working_dir=folder,
        requirements=requirements,
        name=name,
        follow=follow,
        console=Console(),
    )


@cluster_commands.command(rich_help_panel=CLUSTER)
def jobs(
    cluster: Cluster = DEFAULT,
    every: Annotated[bool, typer.Option("--all", help="Include the jobs of doctor and board.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object a line.")] = False,
) -> None:
    """List the cluster's jobs."""
    from tautune.cluster.remote.cluster_file import read_cluster_file
    from tautune.cluster.remote.jobs import list_jobs
    from tautune.commands.cluster_tables import jobs_table

    records = list_jobs(read_cluster_file(cluster), every=every)
    if as_json:
        for record in records:
            print(json.dumps(record))
    else:
        print_whole(Console(), jobs_table(records))


@cluster_commands.command(rich_help_panel=CLUSTER)
def logs(
    job: Job,
    cluster: Cluster = DEFAULT,
    follow: Annotated[bool, typer.Option("--follow", help="Go on until the job ends.")] = False,
) -> None:
    """Show what a job has said."""
    from tautune.cluster.remote.cluster_file import read_cluster_file
    from tautune.cluster.remote.jobs import logs as show_logs

    show_logs(read_cluster_file(cluster), job, follow=follow)


@cluster_commands.command(rich_help_panel=CLUSTER)
def stop(job: Job, cluster: Cluster = DEFAULT) -> None:
    """Stop a job as Ctrl-C would; `tautune submit -- resume RUN` continues a tuning."""
    from tautune.cluster.remote.cluster_file import read_cluster_file
    from tautune.cluster.remote.jobs import stop as stop_job

    stop_job(read_cluster_file(cluster), job, console=Console())


@cluster_commands.command(rich_help_panel=CLUSTER)
def fetch(
    run: Annotated[
        str, typer.Argument(metavar="JOB|RUN", help="A job's id, or the place of a run: /path, s3://…, gs://…")
    ],
    target: Annotated[Path, typer.Argument(metavar="DIR", help="New folder on this machine.")],
    cluster: Cluster = DEFAULT,
) -> None:
    """Copy the results of a run to this machine; called again, copy what is new."""
    from tautune.cluster.remote.cluster_file import read_cluster_file
    from tautune.cluster.remote.fetch import fetch as fetch_run

    fetch_run(read_cluster_file(cluster), run, target, console=Console())


@cluster_commands.command(rich_help_panel=CLUSTER, epilog=examples("doctor"))
def doctor(
    cluster: Annotated[
        Path | None, typer.Option("--cluster", help="File of a cluster.", show_default="this machine")
    ] = None,
    cpus_per_trial: Annotated[float, typer.Option(help="CPU cores that a trial will ask for.")] = 1,
    gpus_per_trial: Annotated[float, typer.Option(help="GPUs that a trial will ask for.")] = 0,
    data: Annotated[list[str] | None, typer.Option(help="A data set that has to be there; may be repeated.")] = None,
    storage: Annotated[str | None, typer.Option(help="Where runs will be kept.", show_default="the cluster's")] = None,
    working_dir: Annotated[Path, typer.Option(help="As for `tautune submit`.")] = Path(),
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Check all that a run needs; the exit code is 0 only if all of it is there."""
    from tautune.cluster.doctor.doctor import examine_cluster, examine_here
    from tautune.cluster.doctor.examination import Findings, Wanted
    from tautune.cluster.remote.cluster_file import read_cluster_file
    from tautune.commands.cluster_tables import verdicts_table

    _check_data(data or [])
    wanted = Wanted(
        cpus_per_trial=cpus_per_trial, gpus_per_trial=gpus_per_trial, data=tuple(data or ()), storage=storage
    )
    with working(f"examining {cluster or 'this machine'}", stderr=as_json):
        if cluster is None:
            found = examine_here(wanted)
        else:
            verdicts = examine_cluster(read_cluster_file(cluster), wanted, working_dir=working_dir.resolve())
            found = Findings(reports={}, verdicts=verdicts)
    if as_json:
        print(found.as_json())
    else:
        print_whole(Console(), verdicts_table(found.verdicts))
    raise typer.Exit(0 if all(verdict.ok for verdict in found.verdicts) else 1)


def _check_data(names: list[str]) -> None:
    from tautune.search_spaces.names import check_name
    from tautune.trainables.supervised.data_files import DATA_NAMES

    with user_input():
        for name in names:
            check_name("--data", name, DATA_NAMES)
