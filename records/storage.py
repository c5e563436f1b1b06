"""Where results are kept: a folder of this machine or of a shared disk, or a bucket (s3://, gs://)."""

import contextlib
import logging
import os
import secrets
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from upath import UPath

from tautune.records.errors import InputError

Folder = Path | UPath
"""A local `Path`, or a `UPath` with the same methods in a bucket."""
SCHEMES = {"s3": "s3fs", "gs": "gcsfs"}
"""Scheme of a bucket → the package that reaches it, an extra of the scheme's name."""

RESULTS_AT = "results: "
"""Begins the line in which a run on a cluster says where it writes."""


def folder_at(text: str) -> Folder:
    """The folder of that name. A relative one lies in $TAUTUNE_STORAGE, if that is set.

    Raises:
        InputError: an unknown scheme, a package that is not installed, or a bucket that cannot be reached.
    """
    if "://" in text:
        return _in_bucket(text)
    storage = os.environ.get("TAUTUNE_STORAGE")
    path = Path(text).expanduser()
    if not storage or path.is_absolute():
        return path
    return storage_root() / text


def storage_root() -> Folder:
    """$TAUTUNE_STORAGE. Raises InputError if it cannot be used."""
    text = os.environ["TAUTUNE_STORAGE"]
    if "://" not in text and not Path(text).is_absolute():
        raise InputError(f"TAUTUNE_STORAGE must be s3://…, gs://… or an absolute path, not {text}")
    return folder_at(text)


def output_folder(given: str | None, name: str) -> Folder:
    """Of a new run: the one given, else results/NAME, or with $TAUTUNE_STORAGE one there that is new each time."""
    if given is not None:
        return run_folder(given)
    if not os.environ.get("TAUTUNE_STORAGE"):
        return Path("results") / name
    return run_folder(f"{name}-{datetime.now(UTC):%Y%m%d-%H%M%S}-{secrets.token_hex(2)}")


def run_folder(given: str) -> Folder:
    """The folder that a command writes; on a cluster it says where, and `tautune fetch` reads that."""
    folder = folder_at(given)
    if os.environ.get("TAUTUNE_STORAGE") or os.environ.get("RAY_ADDRESS"):
        print(f"{RESULTS_AT}{folder.absolute()}", flush=True)
    return folder


def results_folder(given: str | None) -> Folder:
    """Where results are looked for: the folder given, else all of them."""
    if given is not None:
        return folder_at(given)
    return storage_root() if os.environ.get("TAUTUNE_STORAGE") else Path("results")


def _in_bucket(text: str) -> UPath:
    scheme, _, rest = text.partition("://")
    package = SCHEMES.get(scheme)
    bucket = rest.split("/")[0]
    if package is None or not bucket:
        raise InputError(f"{text}: results are kept in a folder, in s3://BUCKET/PATH or in gs://BUCKET/PATH")
    logging.getLogger(package).setLevel(logging.CRITICAL)  # what fails is told by what is raised
    try:
        folder = UPath(text.rstrip("/"), use_listings_cache=False)
        with contextlib.suppress(FileNotFoundError):  # a new folder, or no bucket
            folder.fs.ls(folder.path)
            return folder
        folder.fs.ls(bucket)
    except ImportError:
        hint = f"install it with pip install 'tautune[{scheme}]'"
        raise InputError(f"{text} needs the package {package}; {hint}") from None
    except FileNotFoundError:
        raise InputError(f"{text}: there is no bucket {bucket}") from None
    except Exception as error:  # botocore's, aiohttp's and Google's are of many kinds
        raise InputError(f"{text} cannot be reached: {reason(error)}") from None
    return folder


def reason(error: BaseException) -> str:
    """The error in one line."""
    text = (getattr(error, "strerror", None) or str(error) or type(error).__name__).strip()
    return " ".join(text.split())[:300]


def make(folder: Folder) -> None:
    """A bucket has no folders to make."""
    if isinstance(folder, Path):
        folder.mkdir(parents=True, exist_ok=True)


def ray_storage(folder: Folder) -> dict[str, Any]:
    """Tune's `storage_path` and `storage_filesystem`: a bucket is reached by the same library, endpoint and rights."""
    if isinstance(folder, Path):
        return {"storage_path": str(folder)}
    from pyarrow.fs import FSSpecHandler, PyFileSystem

    return {"storage_path": folder.path, "storage_filesystem": PyFileSystem(FSSpecHandler(folder.fs))}


def restored_tuner(experiment: Folder, trainable: Any) -> Any:
    """Tune's `Tuner` of an experiment that was stopped."""
    from ray import tune

    storage = ray_storage(experiment)
    return tune.Tuner.restore(storage.pop("storage_path"), trainable, restart_errored=True, **storage)


@contextlib.contextmanager
def read_locally(folder: Folder, pattern: str) -> Iterator[Path]:
    """A local folder with the files of `folder` that match."""
    if isinstance(folder, Path):
        yield folder
        return
    with tempfile.TemporaryDirectory() as copy:
        for file in folder.glob(pattern):
            Path(copy, file.name).write_bytes(file.read_bytes())
        yield Path(copy)


@contextlib.contextmanager
def written_locally(folder: Folder) -> Iterator[Path]:
    """A local folder whose files are in `folder` at the end, for what writes to a disk only."""
    if isinstance(folder, Path):
        yield folder
        return
    with tempfile.TemporaryDirectory() as copy:
        yield Path(copy)
        for file in Path(copy).iterdir():
            (folder / file.name).write_bytes(file.read_bytes())
