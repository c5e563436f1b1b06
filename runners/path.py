"""The methods of a `PathStudy` side by side, a trial each."""

import csv
import io
from pathlib import Path
from typing import Any

from ray import tune
from ray.tune.logger import TBXLoggerCallback
from rich.console import Console
from rich.table import Table

from tautune.cluster.session.session import RETRIES, ray_session
from tautune.cluster.session.storage_probe import check_storage
from tautune.records.errors import Interrupted, trial_failed
from tautune.records.files import write_bytes, write_json
from tautune.records.provenance import now, provenance
from tautune.records.storage import Folder, ray_storage
from tautune.records.tuning_folder import check_new, make_folder
from tautune.search_spaces.path_study import PathStudy
from tautune.trainables.path.trial import PathTrial

Json = dict[str, Any]


def compare_paths(study: PathStudy, output: Folder, *, delay: int, console: Console) -> list[Json]:
    """Where each method is after the study's steps; writes trials.csv and run.json, prints and returns the rows."""
    output = check_new(output)
    began = now()
    with ray_session():
        check_storage(output)
        make_folder(output)
        results = tune.Tuner(
            tune.with_parameters(PathTrial, study=study),
            param_space={"method": tune.grid_search(list(study.methods)), "delay": delay},
            tune_config=tune.TuneConfig(reuse_actors=True, trial_dirname_creator=lambda trial: trial.trial_id),
            run_config=tune.RunConfig(
                name="trials",
                **ray_storage(output),
                callbacks=[TBXLoggerCallback()],
                failure_config=tune.FailureConfig(max_failures=RETRIES),
                verbose=0,
            ),
        ).fit()
    rows = []
    for result in results:
        if result.error:
            raise trial_failed(f"trial {Path(result.path).name}", result.error, result.path)
        metrics = result.metrics or {}
        if not metrics.get("done"):
            raise Interrupted("stopped; the comparison takes seconds: remove its folder and begin anew")
        point = [f"x{number}" for number in range(1, len(study.start) + 1)]
        names = (*point, "value", "steps", "diverged")
        rows.append({"method": metrics["config"]["method"], "delay": delay, **{name: metrics[name] for name in names}})
    _write(rows, output, {"kind": "paths", "study": study.name, "delay": delay, "start": study.start}, began)
    console.print(_table(rows, study))
    console.print(f"{output}: trials.csv", soft_wrap=True, highlight=False)
    return rows


def _write(rows: list[Json], output: Folder, configuration: Json, began: str) -> None:
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]))
    writer.writeheader()
    writer.writerows(rows)
    write_bytes(output / "trials.csv", text.getvalue().encode())
    write_json(
        output / "run.json", {"configuration": configuration, "started": began, "finished": now(), **provenance()}
    )


def _table(rows: list[Json], study: PathStudy) -> Table:
    delay = f", gradients {rows[0]['delay']} steps late" if rows[0]["delay"] else ""
    table = Table(title=f"{study.description}{delay}")
    numbers = [name for name in rows[0] if name.startswith("x")] + ["value"]
    for heading in ("method", *numbers):
        table.add_column(heading, justify="left" if heading == "method" else "right")
    for row in rows:
        cells = (f"{row[name]:.6f}" if abs(row[name]) < 1e7 else f"{row[name]:.6g}" for name in numbers)
        table.add_row(row["method"], *cells)
    return table
