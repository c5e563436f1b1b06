"""The providers' files against what reads them: Ray's schema, Google's and Kubernetes' descriptions, rsync, bash."""

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import googleapiclient
import jsonschema
import kubernetes_validate
import pytest
import yaml
from ray.autoscaler._private.command_runner import SSHCommandRunner
from ray.autoscaler._private.gcp.config import get_node_type
from ray.autoscaler._private.gcp.node import GCPNodeType
from ray.autoscaler._private.kuberay.autoscaling_config import _derive_autoscaling_config_from_ray_cr
from ray.autoscaler._private.util import prepare_config, validate_config
from referencing import Registry
from referencing.jsonschema import DRAFT7

ROOT = Path(__file__).parents[3]
PROVIDERS = ROOT / "cluster/providers"
RAY_UP = [ROOT / "cluster.yaml", PROVIDERS / "onprem.yaml", PROVIDERS / "gcp.yaml"]
LEFT_OUT = {".git", ".venv", "results", "data", "build", "__pycache__", "tautune.egg-info", ".mypy_cache"}
every_ray_up_file = pytest.mark.parametrize("file", RAY_UP, ids=lambda file: file.stem)


def read(file: Path) -> dict[str, Any]:
    content: dict[str, Any] = yaml.safe_load(file.read_text())
    return content


def locked_ray() -> str:
    lock = (ROOT / "requirements.lock").read_text().splitlines()
    (version,) = [line.removeprefix("ray==").split()[0] for line in lock if line.startswith("ray==")]
    return version


def rayclusters() -> tuple[dict[str, Any], list[dict[str, Any]], list[dict[str, Any]]]:
    """The RayCluster's `spec`, the pods of head and workers, and the file's other objects."""
    cluster, *others = yaml.safe_load_all((PROVIDERS / "kuberay.yaml").read_text())
    spec = cluster["spec"]
    return spec, [group["template"]["spec"] for group in (spec["headGroupSpec"], *spec["workerGroupSpecs"])], others


@every_ray_up_file
def test_ray_up_accepts_the_file(file: Path) -> None:
    config = prepare_config(read(file))
    validate_config(config)
    workers = {name: kind for name, kind in config["available_node_types"].items() if name != config["head_node_type"]}
    if config["provider"]["type"] != "local":
        assert config["idle_timeout_minutes"] == 10
        assert {kind["min_workers"] for kind in workers.values()} == {0}
        assert {kind["max_workers"] for kind in workers.values()} == {config["max_workers"]}  # set once, at the top


@pytest.mark.parametrize("file", [*RAY_UP, PROVIDERS / "kuberay.yaml"], ids=lambda file: file.stem)
def test_the_file_says_what_to_edit_what_it_costs_and_how_to_take_it_down(file: Path) -> None:
    head = file.read_text().split("\n\n")[0]
    assert all(f"#   {what}:" in head for what in ("edit", "before", "up", "costs", "down"))


@every_ray_up_file
def test_a_key_that_ray_does_not_know_is_refused(file: Path) -> None:
    with pytest.raises(jsonschema.ValidationError, match="max_workerz"):
        validate_config(prepare_config(read(file) | {"max_workerz": 3}))


@every_ray_up_file
def test_the_shared_parts_are_the_same_everywhere(file: Path) -> None:
    config, aws = read(file), read(ROOT / "cluster.yaml")
    for part in ("file_mounts", "rsync_exclude", "setup_commands"):
        assert config[part] == aws[part], part
    for role in ("head", "worker"):
        stop, start = config[f"{role}_start_ray_commands"]
        assert stop == "source ~/tautune/cluster/providers/environment.sh; ray stop"
        assert start.startswith("source ~/tautune/cluster/providers/environment.sh; ")
        assert "export TAUTUNE_STORAGE=" in start
    head = config["head_start_ray_commands"][1]
    assert "--dashboard-host=127.0.0.1" in head
    assert "0.0.0.0" not in file.read_text()


@every_ray_up_file
def test_the_working_tree_goes_without_data_and_results(file: Path, tmp_path: Path) -> None:
    if not shutil.which("rsync"):
        pytest.skip("needs rsync")
    tree, arrived = tmp_path / "tree", tmp_path / "arrived"
    for folder in ("cluster", "cluster/__pycache__", "benchmarks/results", *LEFT_OUT):
        (tree / folder).mkdir(parents=True, exist_ok=True)
        (tree / folder / "file").write_text("")
    options = SSHCommandRunner._create_rsync_filter_args(None, {"rsync_exclude": read(file)["rsync_exclude"]})
    subprocess.run(["rsync", "-a", *options, f"{tree}/", f"{arrived}/"], check=True)
    assert {str(path.relative_to(arrived)) for path in arrived.rglob("*")} == {"cluster", "cluster/file", "benchmarks"}


def test_the_images_have_the_locked_ray() -> None:
    image = f"rayproject/ray:{locked_ray()}-py311-gpu"
    assert read(ROOT / "cluster.yaml")["docker"]["image"] == image
    assert f"FROM {image}\n" in (PROVIDERS / "Dockerfile").read_text()
    assert rayclusters()[0]["rayVersion"] == locked_ray()


def test_the_image_is_built_without_data_and_results() -> None:
    ignored = (PROVIDERS / "Dockerfile.dockerignore").read_text().split()
    assert ignored == [f"**/{pattern}" for pattern in read(ROOT / "cluster.yaml")["rsync_exclude"]]


def test_the_container_asks_for_a_token_too() -> None:
    assert "--env RAY_AUTH_MODE=token" in read(ROOT / "cluster.yaml")["docker"]["run_options"]


def test_the_lock_has_names_versions_and_digests_and_no_registry() -> None:
    lock = (ROOT / "requirements.lock").read_text().replace("\\\n", " ").splitlines()
    for line in lock:
        package, *digests = line.split("--hash=")
        assert re.fullmatch(r"[a-z0-9._-]+==[a-zA-Z0-9.+!_-]+(\s*;.+)?", package.strip()), line
        assert digests, line
        assert all(re.fullmatch(r"sha256:[0-9a-f]{64}\s*", digest) for digest in digests), line


def test_google_knows_every_field_of_the_instances() -> None:
    documents = Path(googleapiclient.__file__).parent / "discovery_cache/documents"
    schemas = json.loads((documents / "compute.v1.json").read_text())["schemas"]
    strict = {name: schema | {"additionalProperties": False} for name, schema in schemas.items()}
    registry = Registry().with_resources((name, DRAFT7.create_resource(schema)) for name, schema in strict.items())
    instance = jsonschema.Draft7Validator(strict["Instance"], registry=registry)
    types = read(PROVIDERS / "gcp.yaml")["available_node_types"]
    for kind in types.values():
        instance.validate(kind["node_config"])
        assert get_node_type(kind["node_config"]) is GCPNodeType.COMPUTE
        assert int(kind["node_config"]["disks"][0]["initializeParams"]["diskSizeGb"]) >= 140
    workers = [types["gpu_worker"], types["multi_gpu_worker"]]
    assert [kind["resources"]["GPU"] for kind in workers] == [1, 4]
    assert all(kind["node_config"]["scheduling"]["provisioningModel"] == "SPOT" for kind in workers)
    with pytest.raises(jsonschema.ValidationError, match="machineTipe"):
        instance.validate({"machineTipe": "g2-standard-8"})


def test_kubernetes_knows_every_field_of_the_pods() -> None:
    _, pods, others = rayclusters()
    for number, pod in enumerate(pods):
        content = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": f"pod-{number}"}, "spec": pod}
        kubernetes_validate.validate(content, kubernetes_validate.latest_version(), strict=True)
    for content in others:
        kubernetes_validate.validate(content, kubernetes_validate.latest_version(), strict=True)
    assert [content["kind"] for content in others] == ["PersistentVolumeClaim", "NetworkPolicy"]


def test_ray_autoscales_the_pods() -> None:
    spec, _, _ = rayclusters()
    config = _derive_autoscaling_config_from_ray_cr({"metadata": {"name": "x", "namespace": "y"}, "spec": spec})
    types = config["available_node_types"]
    assert spec["enableInTreeAutoscaling"]
    assert config["idle_timeout_minutes"] == 10
    assert [(kind["min_workers"], kind["resources"].get("GPU")) for kind in types.values()] == [
        (0, None),
        (0, 1),
        (0, 4),
    ]


def test_pods_have_the_token_and_open_nothing_outside() -> None:
    spec, pods, others = rayclusters()
    for container in (spec["autoscalerOptions"], *(pod["containers"][0] for pod in pods)):
        variables = {variable["name"]: variable for variable in container["env"]}
        assert variables["RAY_AUTH_MODE"]["value"] == "token"
        assert variables["RAY_AUTH_TOKEN"]["valueFrom"]["secretKeyRef"] == {
            "name": "tautune-token",
            "key": "auth_token",
        }
    assert spec["headGroupSpec"]["serviceType"] == "ClusterIP"
    assert spec["headGroupSpec"]["rayStartParams"]["dashboard-host"] == "127.0.0.1"
    assert "hostNetwork" not in str(pods)
    assert "hostPort" not in str(pods)
    own_pods = {"podSelector": {"matchLabels": {"ray.io/cluster": "tautune"}}}
    assert others[1]["spec"]["ingress"] == [{"from": [own_pods]}]
