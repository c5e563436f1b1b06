"""Where and how tautune runs: command line, runner, Ray, results on disk."""

import os

# Ray reads these once, when it is first imported.
os.environ.setdefault("RAY_AUTH_MODE", "token")
os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")  # trials without a GPU do not hide it
os.environ.setdefault("TUNE_DISABLE_AUTO_CALLBACK_LOGGERS", "1")  # TensorBoard's is named where it is wanted
os.environ.setdefault("RAY_AIR_NEW_OUTPUT", "0")  # Tune's own table is replaced by ours
if not os.environ.get("RAY_ADDRESS"):
    # A Ray of our own for this machine alone: then, and only then, its servers bind to 127.0.0.1, on Linux too.
    os.environ.setdefault("RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER", "0")
