"""The ages of the gradients that workers computed, in each trial's folder, as they are reported."""

import csv
from pathlib import Path
from typing import Any

from ray.tune.logger import LoggerCallback

from tautune.trainables.asynchronous.replay import DELAYS, WRITTEN

FILE = "delays.csv"


class DelaysLog(LoggerCallback):
    """Writes delays.csv: one line for each gradient that a trial applied, with the update that applied it.

    A trial that goes on from a checkpoint makes some updates again; then they take the place of the earlier ones.
    """

    def __reduce__(self) -> Any:
        return DelaysLog, ()

    def log_trial_result(self, iteration: int, trial: Any, result: dict[str, Any]) -> None:
        rows = result.get(DELAYS)
        if not rows:
            return
        trial.init_local_path()
        file = Path(trial.local_path) / FILE
        with file.open("a+", encoding="utf-8", newline="") as table:
            table.seek(0)
            earlier = list(csv.reader(table))
            if earlier and int(earlier[-1][0] if earlier[1:] else -1) >= rows[0][0]:
                kept = [row for row in earlier[1:] if int(row[0]) < rows[0][0]]
                table.truncate(0)
                earlier, rows = [], [*kept, *rows]
            written = csv.writer(table, lineterminator="\n")
            if not earlier:
                written.writerow(WRITTEN)
            written.writerows(rows)
