"""What a file of trainings says, and what is told of one that cannot be used."""

import re
from pathlib import Path

import pandas as pd
import pytest

from tautune.records.errors import InputError
from tautune.runners.simulation.csv_table import read_csv, read_frame
from tautune.runners.simulation.table import Report, Table
from tautune.trainables.goal import Mode
from tests.runners.simulation.curves import CURVES
from tests.runners.simulation.tables import a_table, table_csv


def read(folder: Path, text: str, metric: str | None = "loss", mode: Mode | None = "min") -> Table:
    (folder / "a.csv").write_text(text)
    return read_csv(folder / "a.csv", metric, mode)


def test_the_rows_of_a_configuration_are_its_curve(tmp_path: Path) -> None:
    table = a_table(tmp_path)
    assert [tuple(training.config.values()) for training in table.trainings] == list(CURVES)
    assert [tuple(report.value for report in training.curve) for training in table.trainings] == list(CURVES.values())
    assert table.trainings[3].curve[2] == Report(3.0, 0.8, 6.0)
    assert (table.best, table.worst, table.longest, table.unit) == (0.9, 0.1, 4, "seconds")
    assert table.mean_time == 6.0


def test_a_frame_is_read_as_its_file_is(tmp_path: Path) -> None:
    table = a_table(tmp_path)
    frame = read_frame(pd.read_csv(tmp_path / "table.csv"), "accuracy", "max")
    assert frame.trainings == table.trainings


def test_without_seconds_time_is_counted_in_epochs_and_without_them_in_trainings(tmp_path: Path) -> None:
    epochs = read(tmp_path, "a,epoch,loss\n1,1,3\n1,2,2\n2,1,5\n")
    assert (epochs.unit, epochs.mean_time) == ("epochs", 1.5)
    trainings = read(tmp_path, "a,loss\n1,3\n2,5\n")
    assert (trainings.unit, trainings.mean_time) == ("trainings", 1.0)


def test_columns_of_trials_csv_are_told_apart_by_their_names(tmp_path: Path) -> None:
    table = read(tmp_path, "number,state,loss,seconds,config/a,config/b\n1,finished,3,2,0.5,\n2,finished,1,2,0.25,x\n")
    assert [training.config for training in table.trainings] == [{"a": 0.5}, {"a": 0.25, "b": "x"}]


def test_what_a_search_may_do_with_a_column_follows_from_its_values(tmp_path: Path) -> None:
    lines = [f"{10.0**-i},{i},{i / 10},{'sgd' if i % 2 else 'adam'},{i % 3},7,{i}" for i in range(6)]
    table = read(tmp_path, "\n".join(["rate,units,dropout,optimizer,layers,fixed,loss", *lines]))
    kinds = {name: column.kind for name, column in table.columns.items()}
    expected = {"rate": "range", "units": "integers", "dropout": "range", "optimizer": "choice"}
    assert kinds == expected | {"layers": "choice", "fixed": "value"}
    assert table.columns["rate"].is_logarithmic
    assert not table.columns["dropout"].is_logarithmic


def test_every_column_of_a_full_grid_is_a_choice(tmp_path: Path) -> None:
    table = a_table(tmp_path)
    assert {name: column.values for name, column in table.columns.items()} == {
        "learning_rate": (0.1, 0.2, 0.4),
        "width": (8, 16),
    }
    assert {column.kind for column in table.columns.values()} == {"choice"}


@pytest.mark.parametrize(
    ("text", "metric", "mode", "words"),
    [
        ("", "loss", "min", "is empty: it needs a header, and a row for each configuration"),
        ("a,loss\n", "loss", "min", "has no rows: it needs one for each configuration"),
        ("a,loss\n1,2\n", "loss", "min", "has 1 configurations; a search needs at least two to choose among"),
        ("a,loss\n1,2\n2,3\n", "los", "min", "the column 'los' is unknown; did you mean loss?"),
        ("a,loss\n1,2\n2,3\n", None, None, "metric must be given: one of the columns of"),
        ("a,loss\n1,2\n2,3\n", "loss", None, "mode must be given: max or min, which values of loss are the better"),
        ("a,loss\n1,2\n2,nan\n", "loss", "min", "loss of row 2 must be a finite number, not 'nan'; leave the row out"),
        ("a,loss\n1,2\n2,\n", "loss", "min", "loss of row 2 must be a finite number, not empty"),
        ("a,loss\n1,2\n2\n", "loss", "min", "row 3 has 1 values, and there are 2 columns"),
        ("a,loss\n1,2\n1,3\n2,2\n", "loss", "min", "twice at epoch 1; keep one row, or add a column epoch"),
        ("a,a,loss\n1,2,3\n", "loss", "min", "has two columns 'a'; rename one"),
        ("a,epoch,seconds,loss\n1,1,2,2\n1,2,1,3\n2,1,1,1\n", "loss", "min", "above 0 and grow, not [2.0, 1.0]"),
        ("a,seconds,loss\n1,0,2\n2,1,2\n", "loss", "min", "must be above 0 and grow, not [0.0]"),
    ],
)
def test_a_table_that_cannot_be_used_is_told_in_one_line(
    text: str, metric: str | None, mode: Mode | None, words: str, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match=re.escape(words)) as told:
        read(tmp_path, text, metric, mode)
    assert "\n" not in str(told.value)


def test_a_file_that_is_no_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InputError, match="is no CSV file"):
        read_csv(tmp_path / "a.csv", "loss", "min")
    assert table_csv().count("\n") == 25
