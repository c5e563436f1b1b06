"""Shows trainings at their edge of stability in TensorBoard: each is a name of its own, with the same tags."""

from collections.abc import Mapping

from tautune.analysis.edges import Edges
from tautune.analysis.trial_names import value_text
from tautune.analysis.verdicts import edge_verdict
from tautune.records.event_files import open_events
from tautune.records.storage import Folder

TAGS = ("1 over steps/edge ratio", "2 seen over steps/sharpness", "2 seen over steps/loss")


def show_edge(edges: Edges, folder: Folder, pictures: Mapping[str, bytes]) -> None:
    """Writes every curve over the steps, what is settled at over the delay, the verdict, and each panel of the figure.

    Args:
        pictures: name → PNG file.
    """
    from tautune.records.summaries import event, picture, scalars, text

    events = open_events(folder)
    for curve in edges.curves:
        name = f"τ={curve.delay:02d} η={value_text(curve.learning_rate)} seed={curve.seed}"
        seen = zip(curve.steps, curve.ratios, curve.sharpness, curve.losses, strict=True)
        if curve.steps:
            numbers = [(dict(zip(TAGS, values, strict=True)), step) for step, *values in seen]
            events.replace(name, [event(scalars(own), step) for own, step in numbers])
    whole = [point for point in edges.points if not point.unfinished]
    ratios = [(point.delay, point.ratio) for point in whole if point.ratio is not None]
    settled = [event(scalars({"3 by delay/settled edge ratio": ratio}), delay) for delay, ratio in ratios]
    panels = [picture(f"pictures/{name}", png) for name, png in pictures.items()]
    events.replace("settled", [*settled, event([text("verdict", edge_verdict(edges)), *panels])])
    events.close()
