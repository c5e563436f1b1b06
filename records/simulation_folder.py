"""A simulation's folder: run.json, and the conclusions beside it. It takes seconds, so a new one replaces the last."""

from typing import Any

from tautune.records.run_file import RUN_FILE, check_kind, read_run
from tautune.records.run_folder import RunFolder

Json = dict[str, Any]


class SimulationFolder(RunFolder):
    """See `RunFolder`; what the folder was asked for before does not bind."""

    kind = "simulation"

    def _read(self) -> Json:
        check_kind(self.path, self.kind)
        kept = read_run(self.path) if (self.path / RUN_FILE).exists() else {}
        return kept | {"configuration": self.configuration}
