"""The token without which a cluster answers nobody: the same file on the laptop and on every node."""

import os
import secrets
import stat
from pathlib import Path

from tautune.records.errors import InputError

TOKEN = Path(".ray/auth_token")
"""Its place in the home, where Ray looks for it."""


def make_token() -> Path:
    """Returns the token's file, made with mode 0600 if there is none and closed to others if it was open."""
    file = Path.home() / TOKEN
    try:
        file.parent.mkdir(mode=0o700, exist_ok=True)
        if not file.exists():
            with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as handle:
                handle.write(secrets.token_hex(32))
        elif file.stat().st_mode & 0o077:
            file.chmod(0o600)
        text = file.read_text()
    except OSError as error:
        raise InputError(f"{file} cannot be written: {error.strerror}") from None
    if not text.strip():
        raise InputError(f"{file} is empty; remove it, and `tautune up` makes a new token")
    return file


def check_token() -> None:
    """Raises InputError if there is none."""
    file = Path.home() / TOKEN
    if not file.is_file() and not os.environ.get("RAY_AUTH_TOKEN"):
        raise InputError(f"there is no token in {file}; copy it from where `tautune up` was called, mode 0600")


def token_mode() -> str:
    """Returns the file's mode as in 0600; empty if there is no file."""
    file = Path.home() / TOKEN
    return f"{stat.S_IMODE(file.stat().st_mode):04o}" if file.is_file() else ""
