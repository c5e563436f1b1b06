from pathlib import Path

import yaml
from ray.autoscaler._private.providers import _get_default_config
from ray.autoscaler._private.util import validate_config

ROOT = Path(__file__).parents[2]


def test_cluster_yaml_is_what_ray_up_accepts() -> None:
    config = yaml.safe_load((ROOT / "cluster.yaml").read_text())
    validate_config(_get_default_config(config["provider"]) | config)
    assert config["head_node_type"] in config["available_node_types"]
    assert "RAY_AUTH_MODE=token" in " ".join(config["docker"]["run_options"])


def test_the_image_has_the_locked_ray() -> None:
    lock = (ROOT / "requirements.lock").read_text().splitlines()
    (ray,) = [line.removeprefix("ray==") for line in lock if line.startswith("ray==")]
    image = yaml.safe_load((ROOT / "cluster.yaml").read_text())["docker"]["image"]
    assert image.startswith(f"rayproject/ray:{ray}-py311")


def test_the_lock_has_names_and_versions_and_no_registry() -> None:
    lock = (ROOT / "requirements.lock").read_text().splitlines()
    assert all("==" in line and "/" not in line and not line.startswith("-") for line in lock)
