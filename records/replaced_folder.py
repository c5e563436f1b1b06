"""Folders of runs that take seconds: run.json, and the conclusions beside it. A new run replaces the last."""

from typing import Any

from tautune.records.run_file import RUN_FILE, check_kind, read_run
from tautune.records.run_folder import RunFolder

Json = dict[str, Any]


class ReplacedFolder(RunFolder):
    """See `RunFolder`; what the folder was asked for before does not bind."""

    def _read(self) -> Json:
        check_kind(self.path, self.kind)
        kept = read_run(self.path) if (self.path / RUN_FILE).exists() else {}
        return kept | {"configuration": self.configuration}


class SimulationFolder(ReplacedFolder):
    """That of a simulation."""

    kind = "simulation"


class ProbeFolder(ReplacedFolder):
    """That of a probe."""

    kind = "probe"
