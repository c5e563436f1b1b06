"""The moment when the command began, or very nearly: it is imported first."""

import time

STARTED = time.monotonic()
"""Seconds on the clock of `time.monotonic`: durations that a command tells are counted from here."""
