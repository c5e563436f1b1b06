"""What a tuning keeps of its trials as they happen, and how a later process takes it up from there."""

import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any, NotRequired, TypedDict

from tautune.records.errors import InputError, RunFailed
from tautune.records.journal import Event, open_journal, read_journal
from tautune.records.storage import Folder
from tautune.records.trial_row import Row, Scores
from tautune.records.typed import Count, FileName, NotNegative, Object, shaped
from tautune.runners.trial_rows import read_rows
from tautune.trainables.goal import Goal

Json = dict[str, Any]


class _Begin(TypedDict):
    begin: str
    number: Count
    experiment: FileName
    config: Object


class _OfEveryTrial(TypedDict):
    epochs: Count
    diverged: int | bool
    failed: int | bool
    failure: str
    diverged_step: int
    history: list[Object]
    finished: NotRequired[int | bool]
    time_total_s: NotNegative
    hostname: str
    training_iteration: NotRequired[Count]


class _Reported(_OfEveryTrial, Scores):
    """What a classifier reports."""


class _OfALoop(_OfEveryTrial):
    scores: dict[str, float]


REPORTED = (*_Reported.__annotations__, "scores")
"""What is kept of an epoch's result: all that a row is made of, and what schedulers look at."""


class _Result(TypedDict):
    result: str
    reported: Object
    config: NotRequired[Object]
    hyperparameters: NotRequired[Object]
    at: NotRequired[float]


class _End(TypedDict):
    end: str
    told: Object | None
    error: bool
    finished: NotRequired[bool]


class _Longer(TypedDict):
    longer: str
    by: Count
    experiment: FileName


class _Row(TypedDict):
    row: str
    content: Row


SHAPES: dict[str, type] = {"begin": _Begin, "result": _Result, "end": _End, "longer": _Longer, "row": _Row}


def check_event(event: Event) -> None:
    """Raises Misshapen unless the event has all that its kind must have. One of an unknown kind is left alone."""
    for kind, shape in SHAPES.items():
        if kind in event:
            shaped(event, shape)
    if "result" in event:
        shaped(event["reported"], _OfALoop if "scores" in event["reported"] else _Reported)


def seen_by_schedulers(reported: Json) -> Json:
    """Returns what was reported as a scheduler sees it: flat."""
    scores: Json = reported.get("scores", {})
    return reported | scores


class TuningJournal:
    """The journal of a tuning's folder.

    Its events, each of one trial under its id:

    begin     a search has suggested its `config`, and it has been given a `number`
    result    it has `reported` an epoch, with its `hyperparameters`; a `config` that a population has changed is there
    end       it trains no more: Tune has told the search so
    longer    it goes on `by` more epochs, in an `experiment` that extends its own
    row       what an earlier version, which kept no journal, had written of it
    """

    def __init__(self, folder: Folder, experiment: str) -> None:
        """Reads the events of earlier processes, or makes them from the rows that a folder without a journal has."""
        self.experiment = experiment
        self.earlier = events_of(folder)
        self._journal = open_journal(folder, self.earlier)
        self._configs: dict[str, Json] = {}
        self._hyperparameters: dict[str, Json] = {}
        self.error: RunFailed | None = None
        """What went wrong first: Tune makes a traceback of it."""

    @property
    def trials_of_other_experiments(self) -> int:
        """Number of trials that this experiment extends."""
        return sum(event["experiment"] != self.experiment for event in self.earlier if "begin" in event)

    def begun(self, trial: str, number: int, config: Json) -> None:
        """Keeps that a trial has begun."""
        self._configs[trial] = config
        self._append({"begin": trial, "number": number, "experiment": self.experiment, "config": config, **_at()})

    def reported(self, trial: str, config: Json, hyperparameters: Json, result: Json) -> None:
        """Keeps an epoch's result, reduced to `REPORTED`, and what has changed since the last one."""
        event: Event = {"result": trial, "reported": result, **_at()}
        if hyperparameters != self._hyperparameters.get(trial):
            self._hyperparameters[trial] = event["hyperparameters"] = hyperparameters
            if config != self._configs.get(trial):
                self._configs[trial] = event["config"] = config
        self._append(event)

    def ended(self, trial: str, result: Json | None, *, error: bool, finished: bool = False) -> None:
        """Keeps that a trial has ended; after an error of Ray's, a later process takes it up again.

        Args:
            finished: whether it ended by itself: a loop may return without another report that could say so.
        """
        own = {"finished": True} if finished else {}
        self._append({"end": trial, "told": result, "error": error, **_at()} | own)

    def lengthened(self, trial: str, by: int) -> None:
        """Keeps that a trial which has ended goes on, once in this experiment."""
        event: Event = {"longer": trial, "by": by, "experiment": self.experiment}
        if event not in self.earlier:
            self.earlier.append(event)
            self._append(event)

    def _append(self, event: Event) -> None:
        with self.watched():
            self._journal.append(event)

    @contextmanager
    def watched(self) -> Iterator[None]:
        """Remembers, inside, what could not be written."""
        try:
            yield
        except RunFailed as error:
            self.error = self.error or error
            raise

    def close(self) -> None:
        """Ends the journal."""
        self._journal.close()


def _at() -> Event:
    """Returns the time in seconds since 1970, by which a report shows what ran when; nothing is decided by it."""
    return {"at": round(time.time(), 3)}


def events_of(folder: Folder, *, warn: bool = True) -> list[Event]:
    """Returns what happened to the trials of a folder, in its order; `warn` is as in `read_journal`."""
    return read_journal(folder, check_event, warn=warn) or list(_events_of(read_rows(folder)))


def _events_of(rows: Iterable[Json]) -> Iterable[Event]:
    """Makes the events of rows that an earlier version wrote, which kept no journal."""
    for place, row in enumerate(sorted(rows, key=lambda row: row.get("number") or 0), start=1):
        trial, state = row["trial"], row["state"]
        yield {
            "begin": trial,
            "number": row.get("number") or place,
            "experiment": row["experiment"],
            "config": row["config"],
        }
        yield {"row": trial, "content": row}
        if state not in ("running", "interrupted"):
            told = {"validation_accuracy": row["validation_accuracy"]}
            yield {"end": trial, "told": told, "error": False}


def needs_table(folder: Folder, goal: Goal) -> bool:
    """Returns whether the table of trials is missing or damaged, though there is a journal to write it from."""
    try:
        return not read_rows(folder, goal) and bool(read_journal(folder, check_event, warn=False))
    except InputError:
        return bool(read_journal(folder, check_event, warn=False))


def has_unfinished(events: Iterable[Event]) -> bool:
    """Returns whether some trial has begun and not ended."""
    open_ones: set[str] = set()
    for event in events:
        open_ones |= {event[kind] for kind in ("begin", "longer") if kind in event}
        if "end" in event and not event["error"]:
            open_ones.discard(event["end"])
    return bool(open_ones)
