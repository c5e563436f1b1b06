"""How fast a run works, and when the rest of it will be done."""

import time

from tautune.commands.screen import clock


def until(seconds: float | None) -> str:
    """Returns how long it will take from now, as a part of a line; "" where that is not known."""
    return "" if seconds is None else f" · ~{clock(seconds)} left"


class Pace:
    """A pace in units of work, such as epochs, measured from the first that is done.

    What comes before, as Ray's start does, happens once, and would make the first estimates many times too long.
    """

    def __init__(self) -> None:
        self.done = 0.0
        self._first: tuple[float, float] | None = None
        self._last = 0.0

    def did(self, amount: float = 1.0) -> None:
        """Takes in that so much more is done."""
        self.done, self._last = self.done + amount, time.monotonic()
        self._first = self._first or (self._last, self.done)

    @property
    def rate(self) -> float | None:
        """Returns the units of work in a second; None as long as that is not known."""
        if self._first is None or self._last <= self._first[0]:
            return None
        began, before = self._first
        return (self.done - before) / (self._last - began)

    def words(self, unit: str) -> str:
        """Returns the rate as it is shown, in the unit's plural; "" as long as it is not known."""
        if not (rate := self.rate):
            return ""
        return f"{rate:{',.0f' if rate >= 100 else '.3g'}} {unit}/s" if rate >= 1 else f"{60 * rate:.3g} {unit}/min"

    def seconds_left(self, rest: float) -> float | None:
        """Returns the seconds that so much more work takes at this pace, from now on; None where nothing is left."""
        if rest <= 0 or not (rate := self.rate):
            return None
        return max(0.0, rest / rate - (time.monotonic() - self._last))
