"""Shows trainings at their edge of stability in TensorBoard: each is a name of its own, with the same tags."""

from tautune.analysis.edges import Edges
from tautune.records.event_files import open_events
from tautune.records.storage import Folder


def show_edge(edges: Edges, folder: Folder, picture: bytes) -> None:
    """Writes every curve over the steps, what is settled at over the delay, and the figure."""
    from tautune.records.summaries import event, scalars
    from tautune.records.summaries import picture as shown

    events = open_events(folder)
    for curve in edges.curves:
        name = f"delay={curve.delay},learning_rate={curve.learning_rate:g},seed={curve.seed}"
        seen = zip(curve.steps, curve.ratios, curve.sharpness, curve.losses, strict=True)
        if not curve.steps:
            continue
        tags = ("stability/edge_ratio", "stability/sharpness", "loss")
        events.replace(name, [event(scalars(dict(zip(tags, values, strict=True))), step) for step, *values in seen])
    ratios = [(point.delay, point.ratio) for point in edges.points if point.ratio is not None]
    settled = [event(scalars({"stability/settled over τ": ratio}), delay) for delay, ratio in ratios]
    events.replace("settled", [*settled, event([shown("pictures/edge", picture)])])
    events.close()
