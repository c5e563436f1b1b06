"""What Ray reads from the environment when it is first imported, as tautune needs it."""

import os

SETTINGS = {
    "RAY_AUTH_MODE": "token",
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",  # trials without a GPU do not hide it
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",  # TensorBoard's is named where it is wanted
    "RAY_AIR_NEW_OUTPUT": "0",  # Tune's own table is replaced by ours
}


def set_environment() -> None:
    """Sets what is not set already. Without RAY_ADDRESS, Ray's servers bind to 127.0.0.1 alone, on Linux too."""
    for name, value in SETTINGS.items():
        os.environ.setdefault(name, value)
    if not os.environ.get("RAY_ADDRESS"):
        os.environ.setdefault("RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER", "0")
