"""The folder that TensorBoard reads: links to events on a disk, copies of those in a bucket, the best trials of many.

TensorBoard shows no curve at all where there are more than 500 names, so of a run with many trials the best ones are
shown. Its fast reader knows local folders only, and its slow one takes minutes for thousands of objects in a bucket.
"""

import contextlib
import json
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from tautune.records.event_files import BOARD, IN_NAME, checked
from tautune.records.storage import Folder

MOST = 100
"""Trials of a run that are shown: more curves than that cannot be told apart in a chart."""
IN_ALL = 450
"""Names in all, of however many runs."""
Places = dict[str, str]
"""Name that TensorBoard shows → the folder that holds its events."""


class BoardView:
    """Gathers what is to be shown in a local folder; `refresh` adds what has come since."""

    def __init__(self, results: Folder, view: Path, most: int = MOST) -> None:
        """Finds nothing yet.

        Args:
            results: the folder of a run, or one that contains several.
            view: an empty folder.
            most: how many trials of a run are shown.
        """
        self.results, self.view, self.most = results, view, most
        self.source = _OnDisk(results) if isinstance(results, Path) else _InBucket(results)
        self.shown: set[str] = set()
        self.each = most
        """How many trials of a run are shown, for all of its runs to have a place."""
        self.left_out: dict[str, int] = {}
        """By run, how many of its trials are not shown."""

    def refresh(self) -> list[str]:
        """Adds what is not there yet. Returns what is damaged of it, a line each: it is left out."""
        runs: dict[str, Places] = {}
        for place in self.source.places():
            run, name = _divided(place)
            runs.setdefault(run, {})[name] = place
        self.each = max(1, min(self.most, IN_ALL // max(1, len(runs))))
        chosen: Places = {}
        for run, own in runs.items():
            chosen |= {str(Path(run) / name): own[name] for name in self._chosen(run, own, self.each)}
        self.shown |= chosen.keys()
        return list(self.source.show(chosen, self.view))

    def _chosen(self, run: str, own: Places, most: int) -> list[str]:
        trials = [name for name in own if name.split(" ")[0].isdecimal()]
        self.left_out[run] = max(0, len(trials) - most)
        if len(trials) <= most:
            return list(own)
        ranks = self.source.ranks(run)
        trials.sort(key=lambda name: (ranks.get(int(name.split(" ")[0]), len(ranks)), name))
        already = [name for name in own if str(Path(run) / name) in self.shown]
        others = [name for name in own if not name.split(" ")[0].isdecimal()]
        return list(dict.fromkeys([*others, *already, *trials[:most]]))[:IN_ALL]


def _divided(place: str) -> tuple[str, str]:
    """Returns the run's folder, and the name in it."""
    parts = Path(place).parts
    if BOARD in parts:
        at = parts.index(BOARD)
        return str(Path(*parts[:at])), str(Path(*parts[at + 1 :])) if parts[at + 1 :] else BOARD
    return str(Path(*parts[:1])), str(Path(*parts[1:])) if parts[1:] else "."


class _OnDisk:
    def __init__(self, results: Path) -> None:
        self.results = results

    def places(self) -> Iterator[str]:
        """Yields the folders with events, in the results; of a run that has a board, those of the board alone."""
        for folder, inside, files in os.walk(self.results):
            if any(IN_NAME in name for name in files):
                yield os.path.relpath(folder, self.results)
            inside[:] = [BOARD] if BOARD in inside else sorted(inside)

    def ranks(self, run: str) -> dict[int, int]:
        return _ranks(self.results / run)

    def show(self, chosen: Places, view: Path) -> Iterator[str]:
        """Links to what is whole, and copies what is not as far as it is. Yields what is damaged."""
        for name, place in chosen.items():
            shown, folder = view / name, (self.results / place).resolve()
            if shown.is_symlink() or shown.is_dir():
                continue
            shown.parent.mkdir(parents=True, exist_ok=True)
            damaged = list(_damaged(file for file in folder.iterdir() if IN_NAME in file.name))
            if not damaged:
                shown.symlink_to(folder, target_is_directory=True)
            for file, whole, line in damaged:
                shown.mkdir(exist_ok=True)
                (shown / file.name).write_bytes(whole)
                yield line.format(file)


class _InBucket:
    def __init__(self, results: Any) -> None:
        self.results = results
        self.files: dict[str, list[str]] = {}
        self.sizes: dict[str, int] = {}
        self.copied: dict[str, int] = {}

    def places(self) -> Iterator[str]:
        self.results.fs.invalidate_cache()
        root = self.results.path.rstrip("/")
        found = self.results.fs.find(root, detail=True)
        self.files = {}
        boards = {file.split(f"/{BOARD}/")[0] for file in found if f"/{BOARD}/" in file}
        for file, about in found.items():
            own = file.rpartition("/")[0]
            if IN_NAME not in file.rpartition("/")[2]:
                continue
            if f"/{BOARD}/" not in file and any(own.startswith(board) for board in boards):
                continue
            place = own[len(root) :].strip("/") or "."
            self.files.setdefault(place, []).append(file)
            self.sizes[file] = about["size"]
        yield from self.files

    def ranks(self, run: str) -> dict[int, int]:
        return _ranks(self.results / run if run != "." else self.results)

    def show(self, chosen: Places, view: Path) -> Iterator[str]:
        """Copies what has changed, many objects at once. Yields what is damaged of it."""
        wanted = {
            file: view / name / file.rpartition("/")[2]
            for name, place in chosen.items()
            for file in self.files.get(place, [])
            if self.copied.get(file) != self.sizes[file]
        }
        for copy in wanted.values():
            copy.parent.mkdir(parents=True, exist_ok=True)
        if wanted:
            self.results.fs.get(list(wanted), [str(copy) for copy in wanted.values()])
        self.copied |= {file: self.sizes[file] for file in wanted}
        objects = {copy: file for file, copy in wanted.items()}
        for copy, whole, line in _damaged(objects):
            copy.write_bytes(whole)
            yield line.format(self.results.fs.unstrip_protocol(objects[copy]))


def _damaged(files: Iterable[Path]) -> Iterator[tuple[Path, bytes, str]]:
    """Yields each file that is damaged, what is whole of it, and a line that says so, in which a name is missing."""
    for file in files:
        whole, at = checked(file.read_bytes())
        if at is not None:
            yield file, whole, f"{{}} is damaged from byte {at} on; the events that are whole are shown"


def _ranks(run: Folder) -> dict[int, int]:
    """Returns the place of each trial in the table of a tuning, the best first, by its number."""
    ranks: dict[int, int] = {}
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
        for place, line in enumerate((run / "trials.jsonl").read_bytes().splitlines()):
            ranks[int(json.loads(line)["number"])] = place
    return ranks
