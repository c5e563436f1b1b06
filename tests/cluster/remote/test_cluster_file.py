"""Cluster files that `ray up` could not use, told in one line before anything starts."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from tautune.cluster.remote.cluster_file import read_cluster_file
from tautune.records.errors import InputError

ROOT = Path(__file__).parents[3]
ON_PREMISES = ROOT / "cluster/providers/onprem.yaml"


@pytest.mark.parametrize("name", ["cluster.yaml", "cluster/providers/onprem.yaml", "cluster/providers/gcp.yaml"])
def test_ours_are_read(name: str) -> None:
    file = read_cluster_file(ROOT / name)
    assert file.name == "tautune"
    assert file.nodes == (3 if "onprem" in name else 1)
    assert file.hosts == (["10.0.0.1", "10.0.0.2", "10.0.0.3"] if "onprem" in name else [])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"max_worker": 3}, "unknown key max_worker; did you mean max_workers?"),
        ({"auth": {"ssh_usr": "me"}}, "unknown key ssh_usr in auth; did you mean ssh_user?"),
        ({"max_workers": "three"}, "max_workers: 'three' is not of type 'integer'"),
        ({"provider": {"type": "local", "head_ip": "10.0.0.1"}}, "provider lacks worker_ips"),
        ({"provider": {"type": "azur"}}, "Unsupported node provider: azur"),
        ({"provider": {}}, "lacks provider"),
        ({"cluster_name": ""}, "lacks cluster_name"),
        ({"apiVersion": "ray.io/v1"}, "is not a file for `ray up`"),
    ],
)
def test_a_fault_is_named_with_what_would_be_valid(changes: dict[str, Any], message: str, tmp_path: Path) -> None:
    file = tmp_path / "cluster.yaml"
    file.write_text(yaml.safe_dump(yaml.safe_load(ON_PREMISES.read_text()) | changes))
    with pytest.raises(InputError) as raised:
        read_cluster_file(file)
    assert message in str(raised.value)
    assert str(file) in str(raised.value)
    assert "\n" not in str(raised.value)


def test_what_is_no_yaml_names_its_line(tmp_path: Path) -> None:
    file = tmp_path / "cluster.yaml"
    with pytest.raises(InputError, match=r"there is no cluster file .*cluster.yaml; give cluster.yaml or one of"):
        read_cluster_file(file)
    file.write_text("cluster_name: [a\nprovider: b\n")
    with pytest.raises(InputError, match=r"cluster.yaml, line 2 is not YAML"):
        read_cluster_file(file)
