"""A cluster's YAML file, read and checked against Ray's own schema before anything starts."""

import difflib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from tautune.records.errors import InputError

Json = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class ClusterFile:
    """The file that `ray up` is given. `config` is what the file itself says, without Ray's defaults."""

    path: Path
    config: Json

    @property
    def name(self) -> str:
        return str(self.config["cluster_name"])

    @property
    def on_premises(self) -> bool:
        return bool(self.config["provider"]["type"] == "local")

    @property
    def hosts(self) -> list[str]:
        """Returns the machines' addresses, the head's first; none where a cloud assigns them."""
        provider = self.config["provider"]
        return [provider["head_ip"], *provider["worker_ips"]] if self.on_premises else []

    @property
    def nodes(self) -> int:
        """Returns how many nodes `ray up` brings up: all on premises, else the head and each type's min_workers."""
        if self.on_premises:
            return len(self.hosts)
        kinds = self.config.get("available_node_types", {}).values()
        return 1 + sum(int(kind.get("min_workers", 0)) for kind in kinds)


def read_cluster_file(path: Path) -> ClusterFile:
    """Returns the file's content; raises InputError, naming the line or the key, if `ray up` could not use it."""
    if not path.is_file():
        raise InputError(f"there is no cluster file {path}; give cluster.yaml or one of cluster/providers/")
    try:
        config = next(yaml.safe_load_all(path.read_text()), None)
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        mark = getattr(error, "problem_mark", None)
        where = f", line {mark.line + 1}" if mark else ""
        problem = str(getattr(error, "problem", None) or error).splitlines()[0]
        raise InputError(f"{path}{where} is not YAML: {problem}") from None
    except RecursionError:
        raise InputError(f"{path} is nested too deeply to be a cluster's file") from None
    if not isinstance(config, dict) or config.get("apiVersion"):
        raise InputError(f"{path} is not a file for `ray up`; give cluster.yaml or one of cluster/providers/")
    _check_schema(path, config)
    if config["provider"]["type"] == "local":
        _check_addresses(path, config["provider"])
    return ClusterFile(path=path.resolve(), config=config)


def _check_addresses(path: Path, provider: Json) -> None:
    for key in ("head_ip", "worker_ips"):
        if key not in provider:
            raise InputError(f"{path}: provider lacks {key}, the addresses of your machines")
    head, workers = provider["head_ip"], provider["worker_ips"]
    if not isinstance(head, str) or not head:
        raise InputError(f"{path}: provider.head_ip must be an address, not {head!r}")
    if not isinstance(workers, list) or not all(isinstance(worker, str) and worker for worker in workers):
        raise InputError(f"{path}: provider.worker_ips must be a list of addresses, not {workers!r}")


def _check_schema(path: Path, config: Json) -> None:
    import jsonschema
    from ray.autoscaler.sdk import fillout_defaults

    for key in ("cluster_name", "provider", "auth"):
        if not config.get(key):
            raise InputError(f"{path} lacks {key}")
    if not isinstance(config["provider"], dict) or "type" not in config["provider"]:
        raise InputError(f"{path}: provider lacks its type: local, aws or gcp")
    schema = _schema()
    errors = sorted(jsonschema.Draft7Validator(schema).iter_errors(config), key=lambda e: -len(e.path))
    if errors:
        raise InputError(f"{path}: {_one_line(errors[0])}")
    try:
        fillout_defaults(dict(config))
    except Exception as error:  # noqa: BLE001 - whatever Ray says of the file
        raise InputError(f"{path}: {str(error).strip().splitlines()[0]}") from None


def _schema() -> Json:
    import json

    import ray.autoscaler

    text = Path(ray.autoscaler.__file__).with_name("ray-schema.json").read_text()
    schema: Json = json.loads(text)
    schema.pop("required", None)  # what Ray fills in itself
    return schema


def _one_line(error: Any) -> str:
    """Returns what jsonschema found, with the nearest valid key for one that is unknown."""
    where = ".".join(str(part) for part in error.absolute_path)
    if error.validator == "additionalProperties":
        known = list(error.schema.get("properties", {}))
        unknown = [key for key in error.instance if key not in known]
        near = difflib.get_close_matches(str(unknown[0]), known, n=1)
        meant = f"; did you mean {near[0]}?" if near else f"; valid are {', '.join(sorted(known))}"
        return f"unknown key {unknown[0]}{' in ' + where if where else ''}{meant}"
    return f"{where or 'the file'}: {error.message}"
