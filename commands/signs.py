"""The signs of states, which tell them apart where there are no colours, and small pictures made of letters."""

from collections import Counter
from collections.abc import Iterable, Sequence

from rich.console import Console
from rich.text import Text

SIGNS = {
    "running": ("▶", ">", "cyan"),
    "finished": ("✓", "+", "green"),
    "stopped": ("■", "=", "yellow"),
    "diverged": ("↗", "^", "magenta"),
    "failed": ("✗", "x", "red"),
    "interrupted": ("‖", "|", "cyan"),
}
"""Sign of each state, its stand-in where only ASCII can be written, and its colour; each is one column wide."""
WORDS = {"stopped": "stopped early"}
"""What a state is called in a sentence, where that is not its name."""
BARS = "▁▂▃▄▅▆▇█"
BEST = ("★", "*")


def writes_utf(console: Console) -> bool:
    """Returns whether the console can write more than ASCII."""
    return console.encoding.lower().startswith("utf")


def sign(state: str, console: Console) -> Text:
    """Returns the sign of a state in its colour."""
    wide, plain, colour = SIGNS[state]
    return Text(wide if writes_utf(console) else plain, style=colour)


def best_sign(console: Console) -> str:
    """Returns the mark of the best row."""
    return BEST[0] if writes_utf(console) else BEST[1]


def states_line(states: Iterable[str], console: Console) -> Text:
    """Returns how many of what there is, such as "20 trials: ✓ 8 finished, ■ 12 stopped early"."""
    count = Counter(states)
    parts = [
        Text.assemble(sign(state, console), f" {count[state]} {WORDS.get(state, state)}")
        for state in SIGNS
        if count[state]
    ]
    return Text.assemble(f"{counted(count.total(), 'trials')}: ", Text(", ").join(parts))


def counted(number: int, unit: str) -> str:
    """Returns a number with its unit, whose last letter goes where there is but one."""
    return f"{number} {unit.removesuffix('s') if number == 1 else unit}"


def sparkline(values: Sequence[float], console: Console, *, width: int = 8) -> str:
    """Returns the last `width` values as bars, the lowest of them the smallest; "" where there is nothing to see."""
    shown = values[-width:]
    low, high = min(shown, default=0.0), max(shown, default=0.0)
    if low == high or not writes_utf(console):
        return ""
    return "".join(BARS[round((value - low) / (high - low) * (len(BARS) - 1))] for value in shown)
