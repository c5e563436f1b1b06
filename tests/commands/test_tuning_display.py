"""What a tuning prints while it runs."""

import io
from pathlib import Path

from rich.console import Console

from tautune.commands.screen import Screen
from tautune.commands.tuning_display import TuningDisplay
from tests.runners.test_trials import begin, result


def test_the_line_of_a_trial_that_failed_says_why_and_where_its_traceback_is(tmp_path: Path) -> None:
    trials, shown = begin(tmp_path), io.StringIO()
    failure = 'Traceback (most recent call last):\n  File "a.py", line 1\nValueError: no width\n'
    row = trials.report("a", 3, {"units": 0}, result(0.0, 1e6, 1, failed=1, failure=failure))
    TuningDisplay(Screen(Console(file=shown, width=60), 0.0)).trial_ended(trials, row)
    file = tmp_path / "failures" / "03.txt"
    assert shown.getvalue().endswith(f"trial 03: failed: ValueError: no width ({file})\n")
    assert file.read_text() == failure
