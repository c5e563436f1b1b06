"""Prepares a sweep: loads its problem, looks up the minimum and finds what is missing. Nothing here needs Ray."""

from functools import cached_property
from typing import Any

from tautune.records.errors import InputError, RunFailed, user_input
from tautune.records.minimum_cache import MinimumCache
from tautune.records.sweep_folder import SweepFolder
from tautune.runners.devices import device_of
from tautune.runners.shared import check_mini_batch
from tautune.runners.study_problem import study_and_problem
from tautune.runners.sweep import Sweep, is_complete
from tautune.trainables.threshold.curvature_noise import curvature_noise
from tautune.trainables.threshold.descent import MinimumNotReached
from tautune.trainables.threshold.held import eigenvector, hold
from tautune.trainables.threshold.late_optimizer import shares_of_stages, stages_of
from tautune.trainables.threshold.minimum import Minimum, content_hash
from tautune.trainables.threshold.record import Settings
from tautune.trainables.threshold.update import Update

Json = dict[str, Any]


class SweepPlan:
    """A sweep with its study loaded and checked.

    Raises:
        InputError: the study cannot be used, or does not fit the sweep.
    """

    def __init__(self, sweep: Sweep) -> None:
        self.sweep = sweep
        self.study, self.problem = study_and_problem(sweep.study)
        with user_input():
            self.device = device_of(sweep.device)
            check_mini_batch(sweep.mini_batch, self.study.name, len(self.problem))
            if sweep.update and sweep.update.stages:
                stages_of(self.problem.model, sweep.update)
        self.content = content_hash(self.problem, tolerance=sweep.tolerance)
        self.cache = MinimumCache(self.content)
        known = self.cache.minimum()
        self.minimum: Minimum | None = known if known and known.holds(self.problem) else None

    @property
    def configuration(self) -> Json:
        """Returns what two runs in one folder must have in common. They may differ in their delays and seeds."""
        own = {"study": self.study.name, "content": self.content, "seed": self.study.seed, "device": self.device}
        return self.sweep.configuration() | own

    @property
    def update(self) -> Update | None:
        """Returns the sweep's update, with its stages' shares of the sharpest eigenvector once the minimum is known."""
        update = self.sweep.update
        if update is None or not update.stages or self.minimum is None:
            return update
        return update.with_shares(shares_of_stages(self.problem, update, eigenvector(self.place)))

    @cached_property
    def place(self) -> Minimum:
        """The minimum, with the preconditioner that is held there if the optimizer has one."""
        assert self.minimum is not None
        if self.sweep.update is None or not self.sweep.update.is_preconditioned:
            return self.minimum
        try:
            return hold(self.problem, self.minimum.to(self.problem.inputs.device)).to("cpu")
        except MinimumNotReached as error:
            raise RunFailed(str(error)) from None

    @cached_property
    def noise(self) -> float | None:
        """Returns how much the mini-batches' curvature varies at the minimum; None where no two steps differ."""
        assert self.minimum is not None
        if not self.sweep.varies:
            return None
        return curvature_noise(self.problem, self.minimum.to(self.problem.inputs.device), self.sweep.mini_batch)

    @property
    def resources(self) -> dict[str, float]:
        """Returns the resources of each trial. Four trials share a GPU."""
        return {"CPU": 1, "GPU": 0.25} if self.device == "cuda" else {"CPU": 1}

    def is_whole(self, folder: SweepFolder) -> bool:
        """Returns whether the minimum is known and the folder holds everything asked for."""
        return self.minimum is not None and not self.missing(folder)

    def missing(self, folder: SweepFolder) -> list[Settings]:
        """Returns the settings that have yet to be measured. Raises InputError if the minimum is not known."""
        if self.minimum is None:
            raise InputError("the minimum is not known yet")
        wanted = self.sweep.settings(self.place.sharpness, self.update)
        return [s for s in wanted if not is_complete(folder.record(s.delay, s.seed), departures=s.departures)]
