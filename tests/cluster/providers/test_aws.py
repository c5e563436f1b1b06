"""cluster.yaml on AWS, as far as instances: Ray's own bootstrap and node provider against moto's EC2, IAM and S3.

moto launches any image without looking it up, and does not judge the conditions of policies.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
import requests
import yaml
from moto.instance_metadata.responses import INSTANCE_METADATA
from moto.server import ThreadedMotoServer
from ray.autoscaler._private.aws.node_provider import AWSNodeProvider
from ray.autoscaler._private.commands import _bootstrap_config
from ray.autoscaler.tags import TAG_RAY_LAUNCH_CONFIG, TAG_RAY_NODE_KIND, TAG_RAY_USER_NODE_TYPE

from tautune.cluster.providers import aws_account
from tautune.records.errors import InputError

ROOT = Path(__file__).parents[3]
REGION = "us-west-2"
BUCKET = "tautune-123456789012-us-west-2"


pytestmark = pytest.mark.process


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of AWS, on loopback."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    address = "http://{}:{}".format(*server.get_host_and_port())
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_ENDPOINT_URL", address)
        patch.setenv("AWS_EC2_METADATA_SERVICE_ENDPOINT", address)
        patch.setenv("AWS_EC2_METADATA_DISABLED", "false")
        patch.setenv("AWS_ACCESS_KEY_ID", "test")
        patch.setenv("AWS_SECRET_ACCESS_KEY", "test")
        patch.setenv("HOME", str(tmp_path_factory.mktemp("home")))  # the SSH key that Ray makes
        patch.setattr(boto3, "DEFAULT_SESSION", None)  # it would keep these credentials for the tests that follow
        patch.setattr(aws_account, "PROPAGATION_SECONDS", 0)
        patch.setitem(INSTANCE_METADATA, "placement/availability-zone/", f"{REGION}b")  # where this instance is
        yield address
    server.stop()


@pytest.fixture(scope="module")
def config(server: str) -> dict[str, Any]:
    """cluster.yaml as `ray up` has it when it begins to launch."""
    assert aws_account.prepare(REGION) == f"s3://{BUCKET}"
    content = yaml.safe_load((ROOT / "cluster.yaml").read_text())
    assert content["provider"]["region"] == REGION
    resolved: dict[str, Any] = _bootstrap_config(content, no_config_cache=True)
    return resolved


def launch(config: dict[str, Any], kind: str) -> Any:
    """The instance, as EC2 tells it."""
    node_config = config["available_node_types"][kind]["node_config"]
    if kind == config["head_node_type"]:
        node_config = node_config | config["head_node"]
    tags = {TAG_RAY_NODE_KIND: "head", TAG_RAY_LAUNCH_CONFIG: "x", TAG_RAY_USER_NODE_TYPE: kind}
    provider = AWSNodeProvider(config["provider"], config["cluster_name"])
    (made,) = provider.create_node(node_config, tags, 1)
    assert made in provider.non_terminated_nodes({})
    return boto3.resource("ec2", REGION).Instance(made)


@pytest.mark.parametrize(
    ("kind", "instance_type", "lifecycle", "profile", "gpus"),
    [
        ("head", "m5.xlarge", None, "tautune-head", 0),
        ("gpu_worker", "g5.xlarge", "spot", "tautune-worker", 1),
        ("multi_gpu_worker", "g5.12xlarge", "spot", "tautune-worker", 4),
    ],
)
def test_ray_launches(
    config: dict[str, Any], kind: str, instance_type: str, lifecycle: str | None, profile: str, gpus: int
) -> None:
    instance = launch(config, kind)
    assert (instance.instance_type, instance.instance_lifecycle) == (instance_type, lifecycle)
    assert instance.image_id.endswith("/base-oss-nvidia-driver-gpu-ubuntu-24.04/latest/ami-id")
    assert instance.iam_instance_profile["Arn"].endswith(f":instance-profile/{profile}")
    assert instance.metadata_options["HttpTokens"] == "required"
    (disk,) = instance.volumes.all()
    assert (disk.size >= 140, disk.volume_type, disk.encrypted) == (True, "gp3", True)
    assert instance.block_device_mappings[0]["Ebs"]["DeleteOnTermination"]
    for tagged in (instance, disk):
        assert {"Key": "project", "Value": "tautune"} in tagged.tags
    assert config["available_node_types"][kind]["resources"].get("GPU", 0) == gpus


def test_nothing_but_ssh_comes_in_from_outside(config: dict[str, Any]) -> None:
    groups = {group["GroupId"] for group in launch(config, "head").security_groups}
    groups |= {group["GroupId"] for group in launch(config, "gpu_worker").security_groups}
    (group,) = groups
    from_outside: list[dict[str, Any]] = []
    among_members: list[dict[str, Any]] = []
    for rule in boto3.resource("ec2", REGION).SecurityGroup(group).ip_permissions:
        (from_outside if rule["IpRanges"] or rule.get("Ipv6Ranges") else among_members).append(rule)
    assert [(rule["IpProtocol"], rule["FromPort"], rule["ToPort"]) for rule in from_outside] == [("tcp", 22, 22)]
    assert [pair["GroupId"] for rule in among_members for pair in rule["UserIdGroupPairs"]] == [group]


def test_ray_down_ends_the_instances_with_their_disks(config: dict[str, Any]) -> None:
    instance = launch(config, "head")
    provider = AWSNodeProvider(config["provider"], config["cluster_name"])
    provider.terminate_nodes(provider.non_terminated_nodes({}))
    instance.reload()
    assert instance.state["Name"] == "terminated"
    assert provider.non_terminated_nodes({}) == []


def test_the_bucket_is_made_once_and_found_by_an_instance(config: dict[str, Any]) -> None:
    assert aws_account.prepare(REGION) == f"s3://{BUCKET}"
    assert [bucket["Name"] for bucket in boto3.client("s3", REGION).list_buckets()["Buckets"]] == [BUCKET]
    assert aws_account.storage() == f"s3://{BUCKET}"


def test_a_role_may_do_what_it_must_and_no_more(config: dict[str, Any], server: str) -> None:
    sts = boto3.client("sts", REGION)
    sessions = {}
    for name in (aws_account.HEAD, aws_account.WORKER):
        role = sts.assume_role(RoleArn=f"arn:aws:iam::123456789012:role/{name}", RoleSessionName="node")["Credentials"]
        keys = {"aws_access_key_id": role["AccessKeyId"], "aws_secret_access_key": role["SecretAccessKey"]}
        sessions[name] = boto3.Session(**keys, aws_session_token=role["SessionToken"], region_name=REGION)
    boto3.client("s3", REGION).create_bucket(Bucket="another", CreateBucketConfiguration={"LocationConstraint": REGION})
    requests.post(f"{server}/moto-api/reset-auth", data=b"0", timeout=10).raise_for_status()  # policies count now
    try:
        for session in sessions.values():
            session.client("s3").put_object(Bucket=BUCKET, Key="run/trials.csv", Body=b"x")
            with pytest.raises(session.client("s3").exceptions.ClientError, match="AccessDenied"):
                session.client("s3").put_object(Bucket="another", Key="x", Body=b"x")
        sessions[aws_account.HEAD].client("ec2").run_instances(ImageId="ami-1", MinCount=1, MaxCount=1)
        with pytest.raises(sts.exceptions.ClientError, match="AccessDenied"):
            sessions[aws_account.WORKER].client("ec2").run_instances(ImageId="ami-1", MinCount=1, MaxCount=1)
    finally:
        requests.post(f"{server}/moto-api/reset-auth", data=b"inf", timeout=10).raise_for_status()


def test_the_head_gives_its_workers_their_role_and_no_other(config: dict[str, Any]) -> None:
    policy = boto3.client("iam", REGION).get_role_policy(RoleName="tautune-head", PolicyName="tautune-head")
    statements = policy["PolicyDocument"]["Statement"]
    (passed,) = [statement["Resource"] for statement in statements if "iam:PassRole" in statement["Action"]]
    assert passed == ["arn:aws:iam::123456789012:role/tautune-worker"]
    everywhere = {a for s in statements if s["Resource"] == ["*"] and "Condition" not in s for a in s["Action"]}
    assert everywhere == {"ec2:Describe*", "ec2:RunInstances"}, json.dumps(statements)


def test_without_credentials_one_line_says_so(server: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)
    with pytest.raises(InputError, match="AWS, region us-west-2: Unable to locate credentials"):
        aws_account.prepare(REGION)


def test_a_file_of_another_provider_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    file = str(ROOT / "cluster/providers/gcp.yaml")
    assert aws_account.main(["prepare", file]) == 2
    assert capsys.readouterr().err == f"tautune: {file} is for provider type 'gcp', not for 'aws'\n"
