"""What refitted models of other tasks than images say: rows of a table, a series, a text."""

import csv
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from tautune._tuned import predict
from tautune.commands.app import app
from tautune.records.errors import InputError
from tautune.runners.model_file import write_model
from tautune.runners.tables import read_csv
from tests.trainables.supervised.test_tasks import letters, training_of

FIELDS: dict[str, Any] = {"class_names": [], "tokens": False, "config": {}}
LINEAR: dict[str, Any] = FIELDS | {
    "configuration": {"study": "a.py", "data": "the study's own", "model": "mlp"},
    "config": {"layers": 0},
    "classes": 1,
}


def linear(folder: Path, weights: list[list[float]], shape: list[int], task: dict[str, Any], **training: Any) -> Path:
    """Writes the model of a linear map without a bias."""
    model = {"1.weight": torch.tensor(weights), "1.bias": torch.zeros(len(weights))}
    kept = {"model": model, "epochs": 1, "mean": torch.tensor([1.0]), "deviation": torch.tensor([2.0])}
    target = {"target_mean": torch.tensor([100.0]), "target_deviation": torch.tensor([10.0])}
    more = {"shape": shape, "classes": len(weights), "training": kept | target | training, "task": task}
    write_model(folder / "model.pt", LINEAR | more)
    return folder


@pytest.fixture
def regression(tmp_path: Path) -> Path:
    task = {"name": "regression", "columns": ["a", "b"], "target_names": ["y"], "target_shape": []}
    both = {"mean": torch.tensor([1.0, 0.0]), "deviation": torch.tensor([2.0, 1.0])}
    return linear(tmp_path, [[3.0, 1.0]], [2], task, **both)


def table(found: Any) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = found.as_dicts()
    return rows


def test_rows_are_predicted_in_the_users_units_by_the_names_of_their_columns(regression: Path) -> None:
    (regression / "rows.csv").write_text("b,name,a\n4,x,5\n\n-1,y,1\n")
    expected = [100 + 10 * (3 * (5 - 1) / 2 + 4), 100 + 10 * (3 * 0 - 1)]
    assert [row["y"] for row in table(predict(regression, [regression / "rows.csv"]))] == pytest.approx(expected)
    (regression / "bare.csv").write_text("5,4\n1,-1\n")
    assert [row["y"] for row in table(predict(regression, [regression / "bare.csv"]))] == pytest.approx(expected)
    np.save(regression / "rows.npy", np.array([[5, 4], [1, -1]]))
    assert [row["y"] for row in table(predict(regression, [regression / "rows.npy"]))] == pytest.approx(expected)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is empty; it must have 2 columns: a, b"),
        ("a,b\n", "has no row below its columns' names"),
        ("a,c\n1,2\n", "has no column b; it must have 2 columns: a, b"),
        ("a,b\n1,2\n3\n", "line 3: 1 values, and there are 2 columns"),
        ("a,b\n\n1,2\n3\n", "line 4: 1 values, and there are 2 columns"),
        ("a,b\n1,\n", "line 2: '' in column b must be a finite number"),
        ("a,b\n1,nan\n", "line 2: 'nan' in column b must be a finite number"),
        ("1,2,3\n", r"has the shape \(1, 3\); it must have 2 columns: a, b"),
        ("1,2\n3\n", "line 2: 1 values, and there are 2 in the first line"),
        ("a,b\n1e30,1e38\n3e38,3e38\n", "outputs for .* are not finite"),
    ],
)
def test_a_table_that_cannot_be_predicted_is_named(regression: Path, text: str, message: str) -> None:
    (regression / "rows.csv").write_text(text)
    with pytest.raises(InputError, match=message):
        predict(regression, [regression / "rows.csv"])


def test_a_csv_of_a_spreadsheet_is_read(tmp_path: Path) -> None:
    (tmp_path / "excel.csv").write_bytes('\ufeff"a" ,b\r\n"1",2\r\n'.encode())
    assert read_csv(tmp_path / "excel.csv", ["a", "b"], 2).tolist() == [[1, 2]]


def test_a_series_is_forecast_from_its_last_steps(tmp_path: Path) -> None:
    task = {"name": "forecasting", "columns": ["spots"], "horizon": 2}
    linear(tmp_path, [[0.0, 0.0, 1.0], [1.0, 0.0, 0.0]], [3, 1], task)
    (tmp_path / "series.csv").write_text("year,spots\n1,9\n2,9\n3,11\n4,13\n5,15\n")
    found = table(predict(tmp_path, [tmp_path / "series.csv"]))
    assert found == [{"step": 1, "spots": 100 + 10 * (15 - 1) / 2}, {"step": 2, "spots": 100 + 10 * (11 - 1) / 2}]
    (tmp_path / "series.csv").write_text("year,spots\n1,9\n2,9\n")
    with pytest.raises(InputError, match="has 2 steps, and the model looks back at 3"):
        predict(tmp_path, [tmp_path / "series.csv"])


@pytest.fixture
def language(tmp_path: Path) -> Path:
    from tests.trainables.supervised.test_tasks import CASES, WORDS

    training = training_of("language", WORDS, letters, CASES["language"][2])
    for _ in range(8):
        training.train_epoch()
    state = training.state_dict()
    kept = {name: state[name] for name in ("model", "epochs", "mean", "deviation")}
    fields = {"shape": [16], "classes": 256, "vocabulary": 256, "tokens": True, "training": kept}
    configuration = {"study": "a.py", "data": "the study's own", "model": "the study's own"}
    task = {"name": "language", "symbols": ""}
    write_model(tmp_path / "model.pt", FIELDS | fields | {"configuration": configuration, "task": task})
    return tmp_path


def test_a_text_is_continued_and_the_same_seed_writes_the_same(language: Path, tmp_path: Path) -> None:
    study = study_with(letters, "language")
    likeliest = predict(language, text="to be or not to", length=5, temperature=0, study=study)
    assert likeliest == " be o"
    (tmp_path / "text.txt").write_text("to be or not to")
    assert predict(language, [tmp_path / "text.txt"], length=5, temperature=0, study=study) == likeliest
    one, two, other = (predict(language, text="n", length=80, temperature=2, seed=s, study=study) for s in (3, 3, 4))
    assert one == two != other
    for wrong, message in (
        ({"text": ""}, "--text must not be empty"),
        ({"text": "a", "length": 0}, "length must be an integer of at least 1, not 0"),
        ({"text": "a", "temperature": -1.0}, "temperature must be finite and at least 0"),
        ({}, "give a file to predict with, or --text"),
    ):
        with pytest.raises(InputError, match=message):
            predict(language, **wrong, study=study)
    with pytest.raises(InputError, match="whose code runs only when you name it: --study a.py"):
        predict(language, text="a")


def study_with(model: Any, task: str) -> Any:
    from tautune.search_spaces.tuning_study import TuningStudy
    from tests.trainables.supervised.test_tasks import WORDS

    return TuningStudy(name="own", description="", data=lambda: WORDS, model=model, space={}, task=task)


def test_the_command_writes_a_csv_and_json(regression: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from typer.main import get_command

    (regression / "rows.csv").write_text("a,b\n5,4\n")
    command, arguments = get_command(app), ["predict", str(regression), str(regression / "rows.csv")]
    command.main(arguments, standalone_mode=False)
    assert list(csv.DictReader(io.StringIO(capsys.readouterr().out))) == [{"y": "200.0"}]
    command.main([*arguments, "--json", "--output", str(regression / "out.json")], standalone_mode=False)
    assert json.loads((regression / "out.json").read_text()) == {"y": 200}
    with pytest.raises(InputError, match="--output: there is no folder"):
        command.main([*arguments, "--output", str(regression / "no" / "out.csv")], standalone_mode=False)


def test_a_task_of_the_studys_own_is_not_run_unless_it_is_named(tmp_path: Path) -> None:
    linear(tmp_path, [[1.0]], [1], {"name": "own", "target_shape": []})
    (tmp_path / "rows.csv").write_text("1\n")
    with pytest.raises(InputError, match="a model of a task of its study's own; name the study: --study"):
        predict(tmp_path, [tmp_path / "rows.csv"])


def test_a_text_is_no_input_of_a_regression(regression: Path) -> None:
    with pytest.raises(InputError, match="--text is continued by a model of a tautune.Text"):
        predict(regression, text="a")
    (regression / "a.csv").write_text("1,2\n")
    with pytest.raises(InputError, match="give one file, not 2"):
        predict(regression, [regression / "a.csv"] * 2)
