"""The ages of the gradients that workers computed, in each trial's folder, as they are reported."""

import csv
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from ray.tune.logger import LoggerCallback

from tautune.records.storage import Folder
from tautune.trainables.asynchronous.replay import WRITTEN, applied_in

FILE = "delays.csv"


class DelaysLog(LoggerCallback):
    """Writes delays.csv: one line for each gradient that a trial applied, with the update that applied it.

    A trial that goes on from a checkpoint, in this run or in a later one, makes some updates again; then they take the
    place of the earlier ones. The table of one that trains longer begins with what it was before.

    Args:
        folder: that has a folder for each trial.
    """

    def __init__(self, folder: Folder | None) -> None:
        self.folder = folder
        self._begun: set[str] = set()

    def __reduce__(self) -> Any:
        return DelaysLog, (None,)  # Tune pickles its callbacks into a file, from which this one is never loaded

    def log_trial_result(self, iteration: int, trial: Any, result: dict[str, Any]) -> None:
        rows = applied_in(result)
        if not rows:
            return
        with self._file_of(trial).open("a+", encoding="utf-8", newline="") as table:
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

    def _file_of(self, trial: Any) -> Path:
        """Returns the file to write: on a disk the one in the folder, which a killed run leaves as it is.

        For a bucket, it is one that Ray Tune brings there. It begins with what is there.
        """
        assert self.folder is not None
        trial.init_local_path()
        own = Path(trial.local_path)
        kept = self.folder / own.name / FILE
        file = kept if isinstance(kept, Path) else own / FILE
        if own.name not in self._begun:
            there = kept if kept.exists() else _newest(self.folder.parent.glob(f"trials*/{own.name}/{FILE}"))
            file.parent.mkdir(parents=True, exist_ok=True)
            if there not in (None, file):
                file.write_bytes(there.read_bytes())
        self._begun.add(own.name)
        return file


def _newest(files: Iterable[Folder]) -> Folder | None:
    """Returns the file in the folder of the latest command: `trials`, `trials-2` … `trials-10`."""
    return max(files, key=lambda file: (len(str(file)), str(file)), default=None)
