"""Records when the command began. The module is imported first, so that the time is nearly exact."""

import time

STARTED = time.monotonic()
"""Start of the command in seconds on the clock of `time.monotonic`: the durations that it prints begin here."""
