"""Where results are kept: a folder of this machine or of a shared disk, or a bucket (s3://, gs://)."""

import contextlib
import os
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Union

from tautune.records.errors import InputError, RunFailed

if TYPE_CHECKING:
    from upath import UPath  # 0.1 s, which only a bucket needs

Folder = Union[Path, "UPath"]  # noqa: UP007
"""A local `Path`, or a `UPath`, which has the same methods, in a bucket."""
SCHEMES = {"s3": "s3fs", "gs": "gcsfs"}
"""Scheme of a bucket → the package that reaches it. Each is an optional dependency named after the scheme."""

RESULTS_AT = "results: "
"""Start of the line in which a run on a cluster says where it writes."""


def folder_at(text: str) -> Folder:
    """Returns the folder of that name. A relative one lies in $TAUTUNE_STORAGE, if that is set.

    Raises:
        InputError: the scheme is unknown, its package is not installed, or the bucket cannot be reached.
    """
    if "://" in text:
        return _in_bucket(text)
    storage = os.environ.get("TAUTUNE_STORAGE")
    try:
        path = Path(text).expanduser()
    except RuntimeError:
        raise InputError(f"{text}: there is no such user, and so no home folder; give another folder") from None
    if not storage or path.is_absolute():
        return path
    return storage_root() / text


def storage_root() -> Folder:
    """Returns the folder that $TAUTUNE_STORAGE names. Raises InputError if it cannot be used."""
    text = os.environ["TAUTUNE_STORAGE"]
    if "://" not in text and not Path(text).is_absolute():
        raise InputError(f"TAUTUNE_STORAGE must be s3://…, gs://… or an absolute path, not {text}")
    return folder_at(text)


def output_folder(given: str | None, name: str) -> Folder:
    """Returns the folder for a new run.

    It is the one given, or else results/NAME, or else, where $TAUTUNE_STORAGE is set, one there with a new name.
    """
    if given is not None:
        return run_folder(given)
    if not os.environ.get("TAUTUNE_STORAGE"):
        return Path("results") / name
    return run_folder(f"{name}-{datetime.now(UTC):%Y%m%d-%H%M%S}-{os.urandom(2).hex()}")


def run_folder(given: str) -> Folder:
    """Returns the folder that a command writes. On a cluster it prints where that is, for `tautune fetch` to read."""
    folder = folder_at(given)
    if os.environ.get("TAUTUNE_STORAGE") or os.environ.get("RAY_ADDRESS"):
        print(f"{RESULTS_AT}{folder.absolute()}", flush=True)
    return folder


def results_folder(given: str | None) -> Folder:
    """Returns where results are looked for: in the folder given, or else in all of them."""
    if given is not None:
        return folder_at(given)
    return storage_root() if os.environ.get("TAUTUNE_STORAGE") else Path("results")


def typed(folder: Folder) -> str:
    """Returns a folder or a file as one would type it here: where it lies below, by its relative path."""
    here = Path.cwd()
    return str(folder.relative_to(here)) if isinstance(folder, Path) and folder.is_relative_to(here) else str(folder)


def _in_bucket(text: str) -> "UPath":
    scheme, _, rest = text.partition("://")
    package = SCHEMES.get(scheme)
    bucket = rest.split("/")[0]
    if package is None or not bucket:
        raise InputError(f"{text}: results are kept in a folder, in s3://BUCKET/PATH or in gs://BUCKET/PATH")
    import logging

    logging.getLogger(package).setLevel(logging.CRITICAL)  # the exception tells what failed
    from upath import UPath

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
    except Exception as error:  # botocore, aiohttp and Google have no common base class
        raise InputError(f"{text} cannot be reached: {reason(error)}") from None
    return folder


def reason(error: BaseException) -> str:
    """Returns the error in one line. Whether a read or a write failed is said by `reading` and `writing`."""
    text = (getattr(error, "strerror", None) or str(error) or type(error).__name__).strip()
    return " ".join(text.split())[:300]


def reading(path: Folder) -> "contextlib.AbstractContextManager[None]":
    """Returns a context that raises InputError, "PATH cannot be read: …", where the storage refuses a read."""
    return _access(path, "read", InputError)


def writing(path: Folder, error: type[Exception] = InputError) -> "contextlib.AbstractContextManager[None]":
    """Returns a context that raises `error`, "PATH cannot be written: …", where the storage refuses a write."""
    return _access(path, "written", error)


@contextlib.contextmanager
def _access(path: Folder, doing: str, raised: type[Exception]) -> Iterator[None]:
    kinds = OSError if isinstance(path, Path) else Exception  # a bucket's library has exceptions of its own
    try:
        yield
    except (InputError, RunFailed):
        raise
    except kinds as error:
        raise raised(f"{path} cannot be {doing}: {reason(error)}") from None


def make(folder: Folder) -> None:
    """Makes a local folder with its parents. A bucket has no folders to make."""
    if isinstance(folder, Path):
        folder.mkdir(parents=True, exist_ok=True)


def ray_storage(folder: Folder) -> dict[str, Any]:
    """Returns Tune's `storage_path` and `storage_filesystem`, which reach a bucket with the credentials we use."""
    if isinstance(folder, Path):
        return {"storage_path": str(folder)}
    from pyarrow.fs import FSSpecHandler, PyFileSystem

    return {"storage_path": folder.path, "storage_filesystem": PyFileSystem(FSSpecHandler(folder.fs))}


def read_bytes(file: str) -> bytes:
    """Returns the content of a file on this machine or in a bucket."""
    return folder_at(file).read_bytes()
