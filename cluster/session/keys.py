"""AWS keys out of the environment, for the time in which somebody would copy them from there into logs."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

FIELDS = {
    "AWS_ACCESS_KEY_ID": "aws_access_key_id",
    "AWS_SECRET_ACCESS_KEY": "aws_secret_access_key",
    "AWS_SESSION_TOKEN": "aws_session_token",
    "AWS_SECURITY_TOKEN": "aws_security_token",
}
FILE = "AWS_SHARED_CREDENTIALS_FILE"


@contextmanager
def keys_in_a_file() -> Iterator[None]:
    """Moves the keys into a file that only this user can read and that every AWS library looks for, and back."""
    moved = {name: os.environ.pop(name) for name in FIELDS if name in os.environ}
    if not moved:
        yield
        return
    before = os.environ.get(FILE)
    with tempfile.TemporaryDirectory() as folder:  # of mode 0700
        file = Path(folder) / "credentials"
        lines = [f"{FIELDS[name]} = {value}" for name, value in moved.items()]
        file.write_text("\n".join([f"[{os.environ.get('AWS_PROFILE', 'default')}]", *lines, ""]))
        os.environ[FILE] = str(file)
        try:
            yield
        finally:
            os.environ.update(moved)
            del os.environ[FILE]
            if before is not None:
                os.environ[FILE] = before
