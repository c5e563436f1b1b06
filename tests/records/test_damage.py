"""Whatever happens to a file of results, reading it ends in a value of the right shape or in one line."""

import copy
import json
import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from zlib import crc32

import pytest

import tautune
from tautune.records.errors import InputError
from tautune.records.files import write_json
from tautune.records.grid_folder import GridFolder
from tautune.records.journal import FILE
from tautune.records.sweep_folder import SweepFolder
from tautune.records.tuning_folder import TuningFolder, read_best
from tautune.runners.folding import trials_of
from tautune.runners.trial_rows import read_rows
from tautune.runners.trials import Trials
from tautune.runners.tuning_checks import Options, check_extensible, is_whole
from tautune.runners.tuning_job import make_tuning, tuning_of
from tautune.runners.tuning_journal import TuningJournal, events_of
from tautune.trainables.goal import ACCURACY
from tautune.trainables.grid.point import Outcome, Point
from tests.records.test_sweep_folder import RECORDS

CASES = 400
"""Damages of one file: seconds for all, and enough to find each of the tracebacks that the readers once ended in."""
REPORTED = {
    **dict.fromkeys(("validation_accuracy", "validation_loss", "training_accuracy", "training_loss"), 0.5),
    "validation_accuracy_deviation": 0.0,
    **{"epochs": 2, "diverged": 0, "failed": 0, "failure": "", "diverged_step": -1, "finished": 1},
    **{"history": [{"epoch": 0, "learning_rate": 0.1}], "time_total_s": 3.0, "hostname": "a", "training_iteration": 2},
}
INSTEAD: tuple[Any, ...] = (
    None,
    "x",
    "",
    -1,
    0,
    3.5,
    True,
    [],
    {},
    [[]],
    {"a": 1},
    1e308,
    10**30,
    "../..",
    "a\0b",
    [1, 2],
)


def nodes(value: Any) -> Iterator[tuple[Any, Any]]:
    """Yields the container and the key of every value inside."""
    inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, part in inside:
        yield value, key
        yield from nodes(part)


def misshapen(value: Any, chance: random.Random) -> Any:
    """Returns the value with one part left out, renamed by one bit, or replaced."""
    value = copy.deepcopy(value)
    container, key = chance.choice(list(nodes(value)))
    how = chance.randrange(3)
    if how == 0:
        del container[key]
    elif how == 1 and isinstance(key, str):
        place = chance.randrange(len(key))
        container[key[:place] + chr(ord(key[place]) ^ 1) + key[place + 1 :]] = container.pop(key)
    else:
        container[key] = chance.choice(INSTEAD)
    return value


def damaged(content: bytes, chance: random.Random) -> bytes:
    """Returns the content with a bit flipped, cut off, or with an end of its own."""
    place = chance.randrange(len(content))
    how = chance.randrange(4)
    if how == 0:
        return content[:place]
    if how == 1:
        return content[:place] + chance.randbytes(3) + content[place:]
    return content[:place] + bytes([content[place] ^ 1 << chance.randrange(8)]) + content[place + 1 :]


def damage(content: bytes, chance: random.Random) -> bytes:
    """Returns the content of a file of JSON, a table or a journal with damage to its bytes or to its values."""
    if chance.random() < 0.4:
        return damaged(content, chance)
    lines = content.splitlines()
    if content.startswith(b"delay,"):
        place = chance.randrange(len(lines))
        cells = lines[place].split(b",")
        cells[chance.randrange(len(cells))] = chance.choice([b"", b"x", b"nan", b"inf", b"-1", b"1e400", b'"'])
        return b"\n".join([*lines[:place], b",".join(cells), *lines[place + 1 :], b""])
    try:
        return json.dumps(misshapen(json.loads(content), chance)).encode()
    except ValueError:
        place = chance.randrange(len(lines))
    _, brace, text = lines[place].partition(b"{")
    text = json.dumps(misshapen(json.loads(brace + text), chance)).encode()
    lines[place] = text if content.startswith(b"{") else b"%08x %s" % (crc32(text), text)
    return b"\n".join([*lines, b""])


@pytest.fixture(scope="module")
def sweep(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("damage") / "sweep"
    with SweepFolder(path, {"study": "digits"}) as folder:
        folder.begin(started="now", delays=[2])
        folder.keep(RECORDS[0])
    point = {"delay": 2, "predicted": 0.3, "measured": 0.3, "uncertainty": 0.01, "gradient_evaluations": 9, "seeds": 1}
    escape = {"delay": 2, "seed": 0, "learning_rate": 0.4, "epochs": 3.0, "left": True}
    content = {"study": "digits", "sharpness": 2.0, "momentum": 0.9, "shifted": False, "mini_batch": None}
    write_json(path / "thresholds.json", content | {"points": [point], "escapes": [escape]})
    return path


@pytest.fixture(scope="module")
def grid(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("damage") / "grid"
    with GridFolder(path, {"study": "digits", "steps": 3}) as folder:
        folder.begin(started="now")
        folder.write({Point(τ, 0.1 * τ): Outcome(0.5, None, False, 3) for τ in (1, 2)})
    write_json(path / "grid.json", {"study": "digits", "momentum": 0.0, "shifted": False, "sharpness": 2.0})
    return path


@pytest.fixture(scope="module")
def tuning(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("damage") / "tuning"
    asked = make_tuning("digits_mlp", Options(trials=2))
    with TuningFolder(path, asked.configuration()) as folder:
        folder.begin(experiment="trials", trials=2, started="now", finished="now", stopped_by_budget=False)
        journal = TuningJournal(path, "trials")
        trials = Trials(path, asked.study.space, 2, ACCURACY)
        for number in (1, 2):
            journal.begun(f"{number}", number, {"learning_rate": 0.1})
            journal.reported(f"{number}", {"learning_rate": 0.1}, {"learning_rate": 0.1}, REPORTED)
            journal.ended(f"{number}", {"validation_accuracy": 0.5}, error=False)
            trials.report(f"{number}", number, {"learning_rate": 0.1}, REPORTED)
            trials.end(f"{number}", finished=True)
        trials.write()
        journal.close()
    return path


def load_sweep(folder: Path) -> None:
    found = tautune.load(folder)
    SweepFolder(folder, {}).records()
    assert found.to_frame() is not None


def load_grid(folder: Path) -> None:
    tautune.load(folder)
    assert len(GridFolder(folder, {}).rows()) <= 2


def load_tuning(folder: Path) -> None:
    run = TuningFolder(folder).run
    tuning = tuning_of(run, folder)
    assert isinstance(is_whole(folder, run), bool)
    check_extensible(folder, run)
    assert len(trials_of(folder, tuning.study.space, events_of(folder), ACCURACY).ranked()) <= 2
    read_rows(folder)
    read_best(folder)


FILES: dict[str, tuple[Callable[[Path], None], list[str]]] = {
    "sweep": (load_sweep, ["run.json", "thresholds.json", "measurements/delay=2_seed=0.json"]),
    "grid": (load_grid, ["run.json", "grid.json", "points.csv"]),
    "tuning": (load_tuning, ["run.json", "trials.jsonl", "best.json", FILE]),
}


@pytest.mark.parametrize(("kind", "file"), [(kind, file) for kind, (_, files) in FILES.items() for file in files])
def test_a_damaged_file_is_read_or_refused_in_one_line(
    kind: str, file: str, request: pytest.FixtureRequest, caplog: pytest.LogCaptureFixture
) -> None:
    folder: Path = request.getfixturevalue(kind)
    read, _ = FILES[kind]
    whole = (folder / file).read_bytes()
    read(folder)
    chance = random.Random(file)
    refused, named = [], 0
    try:
        for _ in range(CASES):
            content = damage(whole, chance)
            (folder / file).write_bytes(content)
            caplog.clear()
            refused.append(words(read, folder, content))
            named += bool(caplog.records)  # a journal's reader goes on with what is whole
    finally:
        (folder / file).write_bytes(whole)
    assert [line for line in refused if "\n" in line] == []
    assert sum(map(bool, refused)) + named > CASES / 4


def words(read: Callable[[Path], None], folder: Path, content: bytes) -> str:
    """Returns why the folder is refused; nothing if it is read."""
    try:
        read(folder)
    except InputError as error:
        return str(error)
    except Exception as error:
        raise AssertionError(f"a traceback after {content!r}") from error
    return ""
