"""What the pages of the probe and of the edge say, made from the files that their numbers came from."""

from collections.abc import Iterator

from tautune.trainables.edge.names import loop_of
from tests.docs.measured import percent, read

LONG = "sgd, 24,000 steps"
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
    yield from _settled()
    yield from _by_age()


def _settled() -> Iterator[str]:
    cases = read("edge.json")["cases"]
    short, long = cases["sgd"], cases[LONG]
    assert all(abs(point["ratio"] - 1) < 0.01 for point in long["points"])
    yield f"after {long['steps']:,} steps it is within 1 % of it at every delay"
    first, second, third, fourth, _ = (100 * (point["ratio"] - 1) for point in short["points"])
    assert max(first, second) < 1.5
    yield (
        f"After {short['steps']:,}, which the command has by default, it is within 1.5 % at τ = 0 and 1, still "
        f"{third:.0f} % and {fourth:.0f} % above at τ = 2 and 4"
    )
    for row in long["averages"]:
        yield f"| {row['delay']} | {row['median']:.3f} | {row['mean']:.3f} | {row['at_averaged_weights']:.3f} |"
    ends = [100 * (1 - point["lowest"]) for point in long["points"][:2]]
    assert {round(end) for end in ends} == {4}
    yield f"At τ = 0 and 1 one of three seeds ended {ends[0]:.0f} % below its edge"


def _by_age() -> Iterator[str]:
    rows = read("edge.json")["cases"][LONG]["by_age"]
    for row in rows:
        ratios = ["-" if ratio is None else f"{ratio:.3f}" for ratio in row["ratios"].values()]
        yield f"| {row['delay']} | {' | '.join(ratios)} |"
    for ages in ("10 to 20", "20 to 40", "40 to 80", "80 to 160"):
        late = [row["ratios"][ages] for row in rows if row["delay"]]
        assert max(late) - min(late) < 0.02
    yield "From 10 such times on, late SGD of one age is about as far above its edge at every delay"
    assert all(abs(ratio - 1) < 0.03 for row in rows for ratio in list(row["ratios"].values())[3:] if ratio)
    yield "From 40 such times on it is within 3 % at each of them"
    yield f"At τ = 4 these are {40 * rows[3]['steps_to_grow']:,.0f} steps"


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
        f"({language['products']} products), and {language['seconds']:.0f} s by the clock on two cores"
    )
    yield f"A look at every hundredth step takes {percent(watched['share'], 1)} % of a training's time"
    ahead = warning["steps_ahead"]
    yield (
        f"{warning['warned_of_those']} of the {warning['diverged']} that diverged were warned of, "
        f"{ahead['least']} to {ahead['most']} steps before their loss had doubled (median {ahead['median']:g})"
    )
    yield f"{warning['false_alarms']} of the {warning['runs'] - warning['diverged']} others"
