"""What the pages of the probe and of the edge say, made from the files that their numbers came from."""

from collections.abc import Iterator

from tautune.trainables.edge.names import loop_of
from tests.docs.measured import percent, read

ABOVE = 1.05
"""The ratio at which the page tells how long an error takes to grow."""


def edge() -> Iterator[str]:
    for name, case in read("edge.json")["cases"].items():
        for point in case["points"]:
            loop = loop_of(point["optimizer"], point["delay"])
            slow = 1 / loop.growth(ABOVE * loop.threshold)
            if point["ratio"] is None:
                settled = ["diverged", "", ""]
            else:
                seeds = f"{point['lowest']:.3f} to {point['highest']:.3f}"
                settled = [f"{point['ratio']:.3f}", seeds, f"{100 * point['drift']:+.1f} %"]
            cells = (name, point["delay"], f"{point['learning_rate']:.4g}", *settled, f"{slow:.0f}")
            yield f"| {' | '.join(map(str, cells))} |"
    yield from _by_age()


def _by_age() -> Iterator[str]:
    rows = read("edge.json")["cases"]["sgd"]["by_age"]
    for row in rows:
        ratios = ["-" if ratio is None else f"{ratio:.3f}" for ratio in row["ratios"].values()]
        yield f"| {row['delay']} | {' | '.join(ratios)} |"
    young = [row["ratios"]["10 to 20"] for row in rows if row["ratios"]["10 to 20"]]
    assert len(young) == 4
    assert max(young) - min(young) < 0.015
    yield "At the same age in its own time, SGD is about as far above its edge at every delay"
    first, second, third, fourth, _ = ([*row["ratios"].values()] for row in rows)
    assert min(first[:4]) > 1.03 > max(first[4:])
    assert min(second[:3]) > 1.03 > max(second[3:5])
    yield "It took 80 such times at τ = 0, and 40 at τ = 1, until the ratio was within the 3 %"
    assert third[4:] == [None, None]
    assert fourth[2:] == [None, None, None, None]


def probe() -> Iterator[str]:
    found = read("probe.json")
    digits, language, watched, warning = (found[part] for part in ("digits", "transformer", "overhead", "warning"))
    assert digits["largest_error"] < 1e-5
    yield (
        f"at the minimum of `digits` it takes {digits['processor_seconds']:.1f} s, and its thresholds are within "
        "0.001 % of the sweep's"
    )
    yield (
        f"a transformer of {language['parameters']:,} parameters takes {language['processor_seconds']:.0f} s "
        f"({language['products']} products)"
    )
    yield f"A look at every hundredth step takes {percent(watched['share'], 1)} % of a training's time"
    ahead = warning["steps_ahead"]
    yield (
        f"{warning['warned_of_those']} of the {warning['diverged']} that diverged were warned of, "
        f"{ahead['least']} to {ahead['most']} steps before their loss had doubled (median {ahead['median']:g})"
    )
    yield f"{warning['false_alarms']} of the {warning['runs'] - warning['diverged']} others"
