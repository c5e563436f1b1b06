"""The parameters that share a delay, and their gradients on the way."""

from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TypeVar

from torch import Tensor

from tautune.trainables.delay.gradients import Gradients
from tautune.trainables.delay.schedules import OneDelay, Schedule, as_schedule

T = TypeVar("T")
Groups = Sequence[dict[str, Any]]
"""The parameter groups of an optimizer."""


class Lane:
    """A schedule of delay, and the gradients that are on their way under it, the oldest first."""

    def __init__(self, schedule: Schedule) -> None:
        self.schedule = schedule
        self.stored: deque[Gradients] = deque()

    def pass_on(self, fresh: Gradients, time: int) -> tuple[int | None, Gradients, bool]:
        """Stores the gradients of step `time`. Returns the age of those that are due, and them, and if they are kept.

        The age is None where the gradients that the schedule asks for do not exist yet.
        """
        self.stored.append(fresh)
        age = self.schedule.at(time)
        made = age < len(self.stored)
        due = self.stored[-1 - age] if made else []
        if len(self.stored) > self.schedule.maximum:
            self.stored.popleft()
        return (age if made else None), due, age < len(self.stored)

    def due_without_new(self, now: int, *, end: int) -> tuple[int | None, Gradients]:
        """Returns the age and the gradients that step `now` asks for, where none is stored from step `end` on."""
        age = self.schedule.at(now)
        place = now - age - (end - len(self.stored))
        return (age, self.stored[place]) if 0 <= place < len(self.stored) else (None, [])


class Lanes:
    """One lane for all parameters, or one for each parameter group, whose delays go by the groups' key `name`.

    Raises:
        ValueError: a delay is none, a parameter group has no delay, or a delay no parameter group.
    """

    def __init__(self, delay: OneDelay | Mapping[str, OneDelay], groups: Groups) -> None:
        self.schedule: Schedule | dict[str, Schedule]
        if isinstance(delay, Mapping):
            self.schedule = {name: as_schedule(one) for name, one in delay.items()}
            check_names(groups, self.schedule)
            self.lanes = [Lane(self.schedule[group["name"]]) for group in groups]
        else:
            self.schedule = as_schedule(delay)
            self.lanes = [Lane(self.schedule)]

    def __iter__(self) -> Iterator[Lane]:
        return iter(self.lanes)

    @property
    def longest(self) -> int:
        """Returns the longest delay, in steps."""
        return max(lane.schedule.maximum for lane in self.lanes)

    def first_due(self, time: int) -> int:
        """Returns the first step from `time` on at which a stored gradient can be due."""
        return max(time, min(time - len(lane.stored) + lane.schedule.minimum for lane in self.lanes))

    def check_new(self, group: dict[str, Any], number: int) -> None:
        """Raises ValueError if a parameter group that is to be added has no delay."""
        if isinstance(self.schedule, dict):
            name_of(group, number, self.schedule)

    def parameters(self, groups: Groups) -> list[list[Tensor]]:
        """Returns each lane's parameters; a group that was added has a lane from now on."""
        if not isinstance(self.schedule, dict):
            return [[parameter for group in groups for parameter in group["params"]]]
        for number in range(len(self.lanes), len(groups)):
            self.lanes.append(Lane(self.schedule[name_of(groups[number], number, self.schedule)]))
        return [list(group["params"]) for group in groups]

    def for_groups(self, of_lanes: Sequence[T], groups: Groups) -> tuple[T, ...]:
        """Returns for each parameter group what its lane has."""
        return tuple(of_lanes) if isinstance(self.schedule, dict) else (of_lanes[0],) * len(groups)

    def clear(self) -> None:
        """Forgets all gradients."""
        for lane in self.lanes:
            lane.stored.clear()

    def steps(self, groups: Groups) -> list[Gradients]:
        """Returns the stored gradients step by step, each step's in the order of the parameters.

        A lane that is done with a step's gradients has None for it, as have parameters that were added after it.
        """
        parameters = self.parameters(groups)
        steps = []
        for back in range(max(len(lane.stored) for lane in self.lanes), 0, -1):
            step: Gradients = []
            for lane, own in zip(self.lanes, parameters, strict=True):
                kept = lane.stored[-back] if back <= len(lane.stored) else []
                step += kept + [None] * (len(own) - len(kept))
            steps.append(step)
        return steps

    def fill(self, steps: Sequence[Gradients], groups: Groups) -> None:
        """Stores what `steps` returned."""
        self.clear()
        begin = 0
        for lane, own in zip(self.lanes, self.parameters(groups), strict=True):
            end = begin + len(own)
            held = min(len(steps), lane.schedule.maximum)
            lane.stored.extend(step[begin:end] for step in steps[len(steps) - held :])
            begin = end


def name_of(group: dict[str, Any], number: int, delays: Mapping[str, object]) -> str:
    """Returns the name of a parameter group that has an entry in `delays`. Raises ValueError if it has none."""
    names = ", ".join(map(repr, delays))
    if "name" not in group:
        raise ValueError(f"delays by name ({names}) need a key 'name' in each parameter group; group {number} has none")
    if group["name"] not in delays:
        raise ValueError(f"parameter group {group['name']!r} has no delay; there are delays for {names}")
    return str(group["name"])


def check_names(groups: Groups, delays: Mapping[str, object]) -> None:
    """Raises ValueError unless every parameter group has a delay, and every delay a parameter group."""
    names = {name_of(group, number, delays) for number, group in enumerate(groups)}
    for name in delays:
        if name not in names:
            there = ", ".join(map(repr, sorted(names)))
            raise ValueError(f"no parameter group is named {name!r}, which has a delay; there are {there}")
