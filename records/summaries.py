"""What TensorBoard shows, as its event files hold it: numbers, texts, pictures, histograms, hyperparameters, layouts.

Nothing here needs TensorFlow, as TensorBoard's own functions for some of it do.
"""

import math
import struct
import time
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.compat.proto.tensor_pb2 import TensorProto
from tensorboard.compat.proto.tensor_shape_pb2 import TensorShapeProto
from tensorboard.compat.proto.types_pb2 import DT_STRING
from tensorboard.plugins.custom_scalar import layout_pb2
from tensorboard.plugins.custom_scalar import metadata as custom_scalar
from tensorboard.plugins.histogram import metadata as histograms
from tensorboard.plugins.hparams import api_pb2, plugin_data_pb2
from tensorboard.plugins.hparams import metadata as hparams
from tensorboard.plugins.image import metadata as image
from tensorboard.plugins.text.summary_v2 import text_pb
from tensorboard.util.tensor_util import make_tensor_proto

from tautune.records.kept_space import Searched

Value = Summary.Value


def event(values: Iterable[Any], step: int = 0, at: float | None = None) -> Any:
    """Returns the event of some values at one step, and at a time in seconds since 1970, which is now without one."""
    return Event(wall_time=time.time() if at is None else at, step=step, summary=Summary(value=values))


def scalars(numbers: Mapping[str, float]) -> list[Any]:
    """Returns numbers by their tags; those that are not finite are left out, since no chart has a place for them."""
    return [Value(tag=tag, simple_value=value) for tag, value in numbers.items() if math.isfinite(value)]


def text(tag: str, markdown: str) -> Any:
    """Returns a text in Markdown."""
    return text_pb(tag, markdown).value[0]


def histogram(tag: str, shares: Mapping[int, float]) -> Any:
    """Returns how often each integer occurs, in a bucket of its own."""
    buckets = np.array([[number - 0.5, number + 0.5, shares[number]] for number in sorted(shares)])
    metadata = histograms.create_summary_metadata(display_name=None, description=None)
    return Value(tag=tag, metadata=metadata, tensor=make_tensor_proto(buckets, dtype=np.float64))


def picture(tag: str, png: bytes) -> Any:
    """Returns a picture, which is a PNG file."""
    width, height = struct.unpack(">II", png[16:24])  # where the format has them
    metadata = image.create_summary_metadata(display_name=None, description=None)
    return Value(tag=tag, metadata=metadata, tensor=_strings([str(width).encode(), str(height).encode(), png]))


def lines(category: str, charts: Mapping[str, str]) -> Any:
    """Returns a category of charts with lines: title → regular expression of the tags."""
    return layout_pb2.Category(
        title=category,
        chart=[
            layout_pb2.Chart(title=title, multiline=layout_pb2.MultilineChartContent(tag=[tags]))
            for title, tags in charts.items()
        ],
    )


def banded(category: str, charts: Mapping[str, tuple[str, str, str]]) -> Any:
    """Returns a category of charts with a band around each line, and no smoothing: title → value, lower, upper."""
    content = layout_pb2.MarginChartContent
    return layout_pb2.Category(
        title=category,
        chart=[
            layout_pb2.Chart(title=title, margin=content(series=[content.Series(value=value, lower=low, upper=high)]))
            for title, (value, low, high) in reversed([*charts.items()])  # TensorBoard draws the last one first
        ],
    )


def layout(*categories: Any) -> Any:
    """Returns which charts the page of custom scalars has."""
    content = layout_pb2.Layout(category=categories).SerializeToString()
    metadata = custom_scalar.create_summary_metadata()
    return Value(tag=custom_scalar.CONFIG_SUMMARY_TAG, metadata=metadata, tensor=_strings([content], scalar=True))


def experiment(space: Mapping[str, Searched], metrics: Mapping[str, str]) -> Any:
    """Returns what the table of hyperparameters has columns for.

    Args:
        space: what was searched, with its domain.
        metrics: title of a column → tag of the number whose last value it shows.
    """
    infos = [api_pb2.MetricInfo(name=api_pb2.MetricName(tag=tag), display_name=name) for name, tag in metrics.items()]
    content = api_pb2.Experiment(
        hparam_infos=[_info(name, entry) for name, entry in space.items()],
        metric_infos=infos,
        time_created_secs=time.time(),
    )
    return _hparams(hparams.EXPERIMENT_TAG, plugin_data_pb2.HParamsPluginData(experiment=content))


def session_start(config: Mapping[str, Any], name: str) -> Any:
    """Returns the hyperparameters of a trial, which is called so."""
    start = plugin_data_pb2.SessionStartInfo(group_name=name, start_time_secs=time.time())
    for parameter, value in config.items():
        shown = _plain(value)
        if isinstance(shown, bool):
            start.hparams[parameter].bool_value = shown
        elif isinstance(shown, int | float):
            start.hparams[parameter].number_value = shown
        else:
            start.hparams[parameter].string_value = shown
    return _hparams(hparams.SESSION_START_INFO_TAG, plugin_data_pb2.HParamsPluginData(session_start_info=start))


def session_end(*, success: bool) -> Any:
    """Returns that a trial has ended."""
    status = api_pb2.STATUS_SUCCESS if success else api_pb2.STATUS_FAILURE
    end = plugin_data_pb2.SessionEndInfo(status=status, end_time_secs=time.time())
    return _hparams(hparams.SESSION_END_INFO_TAG, plugin_data_pb2.HParamsPluginData(session_end_info=end))


def _info(name: str, entry: Searched) -> Any:
    info = api_pb2.HParamInfo(name=name)
    if entry.choices is not None:
        choices = [_plain(choice) for choice in entry.choices]
        kinds = {_kind(choice) for choice in choices}
        info.type = kinds.pop() if len(kinds) == 1 else api_pb2.DATA_TYPE_STRING
        alike = choices if info.type != api_pb2.DATA_TYPE_STRING else [str(choice) for choice in choices]
        info.domain_discrete.extend(alike)
        return info
    info.type = api_pb2.DATA_TYPE_FLOAT64 if entry.kind != "categorical" else api_pb2.DATA_TYPE_STRING
    if entry.low is not None and entry.high is not None:
        info.domain_interval.min_value, info.domain_interval.max_value = entry.low, entry.high
    return info


def _kind(value: bool | float | str) -> Any:
    if isinstance(value, bool):
        return api_pb2.DATA_TYPE_BOOL
    return api_pb2.DATA_TYPE_STRING if isinstance(value, str) else api_pb2.DATA_TYPE_FLOAT64


def _plain(value: Any) -> bool | float | str:
    """Returns a hyperparameter as the table may have it: JSON, which the page is sent, knows no NaN and no tuples."""
    if isinstance(value, bool) or (isinstance(value, int | float) and math.isfinite(value)):
        return value
    return str(list(value) if isinstance(value, tuple) else value)


def _hparams(tag: str, content: Any) -> Any:
    metadata = hparams.create_summary_metadata(content)
    return Value(tag=tag, metadata=metadata, tensor=hparams.NULL_TENSOR)


def _strings(contents: list[bytes], *, scalar: bool = False) -> Any:
    shape = TensorShapeProto(dim=[] if scalar else [TensorShapeProto.Dim(size=len(contents))])
    return TensorProto(dtype=DT_STRING, tensor_shape=shape, string_val=contents)
