"""What TensorBoard is told is what its own readers and plugins make of it."""

import io
import math

import numpy as np
import pytest
from ray import tune
from tensorboard.plugins.custom_scalar.layout_pb2 import Layout
from tensorboard.plugins.hparams import api_pb2
from tensorboard.plugins.hparams.plugin_data_pb2 import HParamsPluginData
from tensorboard.util.tensor_util import make_ndarray

from tautune.records import summaries
from tautune.records.kept_space import searched
from tautune.search_spaces.space import Space, When, as_text

SPACE: Space = {
    "learning_rate": tune.loguniform(1e-4, 1),
    "steps": tune.randint(1, 5),
    "noise": tune.randn(0, 1),
    "optimizer": tune.choice(["sgd", "adam"]),
    "layers": tune.choice([1, 2]),
    "flip": tune.choice([True, False]),
    "units": When("layers", (2,), tune.choice([(8, 8), (16, 16)])),
    "mixed": tune.choice([1, "one", None]),
    "momentum": 0.9,
}


def test_the_table_of_hyperparameters_knows_their_domains() -> None:
    kept = {name: as_text(entry) for name, entry in SPACE.items()}
    value = summaries.experiment(searched(kept), {"best_accuracy": "2 best so far/best_accuracy"})
    told = HParamsPluginData.FromString(value.metadata.plugin_data.content).experiment
    infos = {info.name: info for info in told.hparam_infos}
    assert list(infos) == [name for name in SPACE if name != "momentum"]
    rate = infos["learning_rate"]
    assert (rate.domain_interval.min_value, rate.domain_interval.max_value) == (1e-4, 1)
    assert (infos["steps"].domain_interval.min_value, infos["steps"].domain_interval.max_value) == (1, 4)
    assert not infos["noise"].HasField("domain_interval")
    choices = {name: list(infos[name].domain_discrete) for name in ("optimizer", "layers", "flip", "units", "mixed")}
    assert choices == {
        "optimizer": ["sgd", "adam"],
        "layers": [1, 2],
        "flip": [True, False],
        "units": ["[8, 8]", "[16, 16]"],
        "mixed": ["1", "one", "None"],
    }
    types = [infos[name].type for name in ("learning_rate", "optimizer", "layers", "flip", "mixed")]
    number, text = api_pb2.DATA_TYPE_FLOAT64, api_pb2.DATA_TYPE_STRING
    assert types == [number, text, number, api_pb2.DATA_TYPE_BOOL, text]
    (metric,) = told.metric_infos
    assert (metric.display_name, metric.name.tag) == ("best_accuracy", "2 best so far/best_accuracy")


def test_a_trial_has_its_hyperparameters_and_no_value_that_the_page_cannot_be_sent() -> None:
    config = {"η": 0.1, "flip": True, "units": (8, 8), "a 'b' <script>": "<script>", "limit": math.inf, "none": None}
    value = summaries.session_start(config, "07 η=0.1")
    start = HParamsPluginData.FromString(value.metadata.plugin_data.content).session_start_info
    assert start.group_name == "07 η=0.1"
    kinds = {
        name: (held.WhichOneof("kind"), getattr(held, held.WhichOneof("kind"))) for name, held in start.hparams.items()
    }
    assert kinds == {
        "η": ("number_value", 0.1),
        "flip": ("bool_value", True),
        "units": ("string_value", "[8, 8]"),
        "a 'b' <script>": ("string_value", "<script>"),
        "limit": ("string_value", "inf"),
        "none": ("string_value", "None"),
    }


@pytest.mark.parametrize(("success", "status"), [(True, "STATUS_SUCCESS"), (False, "STATUS_FAILURE")])
def test_a_trial_ends(success: bool, status: str) -> None:
    value = summaries.session_end(success=success)
    end = HParamsPluginData.FromString(value.metadata.plugin_data.content).session_end_info
    assert end.status == getattr(api_pb2, status)


def test_a_histogram_has_a_bucket_for_each_delay() -> None:
    value = summaries.histogram("delays", {4: 0.25, 0: 0.75})
    assert value.metadata.plugin_data.plugin_name == "histograms"
    assert np.array_equal(make_ndarray(value.tensor), [[-0.5, 0.5, 0.75], [3.5, 4.5, 0.25]])


def test_a_picture_is_the_file_with_its_size() -> None:
    from matplotlib.figure import Figure

    file = io.BytesIO()
    Figure(figsize=(3, 2)).savefig(file, format="png", dpi=50)
    value = summaries.picture("pictures/a", file.getvalue())
    assert value.metadata.plugin_data.plugin_name == "images"
    assert list(value.tensor.string_val) == [b"150", b"100", file.getvalue()]


def test_a_layout_has_charts_in_categories() -> None:
    value = summaries.layout(
        summaries.lines("trials", {"loss": "^(1 validation|3 training)/loss$"}),
        summaries.banded("over τ", {"η": ("η", "η at least", "η at most")}),
    )
    trials, delays = Layout.FromString(value.tensor.string_val[0]).category
    assert (trials.title, trials.chart[0].title, list(trials.chart[0].multiline.tag)) == (
        *("trials", "loss"),
        ["^(1 validation|3 training)/loss$"],
    )
    (series,) = delays.chart[0].margin.series
    assert (series.value, series.lower, series.upper) == ("η", "η at least", "η at most")
