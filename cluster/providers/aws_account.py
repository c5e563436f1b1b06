"""Creates what a cluster on AWS needs in the account: instance profiles for the head and the workers, and a bucket.

    python -m tautune.cluster.providers.aws_account prepare cluster.yaml

creates those that are missing. The profile that Ray creates by itself is not enough: with it, the head may not give its
workers a profile (iam:PassRole) or look up the machine image (ssm:GetParameters), and workers without a profile cannot
write to the bucket.
"""

import json
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import boto3
import botocore.session
import yaml
from botocore.exceptions import BotoCoreError, ClientError
from botocore.utils import IMDSRegionProvider

from tautune.records.errors import InputError

HEAD, WORKER = "tautune-head", "tautune-worker"
PROPAGATION_SECONDS = 15
"""Wait in seconds after a profile is created, until all of AWS knows it: Ray waits as long for its own profile."""


def prepare(region: str) -> str:
    """Creates the bucket and both profiles if missing, and returns the bucket's address, s3://tautune-ACCOUNT-REGION.

    Raises:
        InputError: the credentials are missing or do not allow it.
    """
    with _one_line(f"AWS, region {region}"):
        account = _account(region)
        bucket = f"tautune-{account}-{region}"
        _make_bucket(bucket, region)
        iam = boto3.client("iam", region_name=region)
        made = [
            _make_profile(iam, WORKER, [_buckets(account)]),
            _make_profile(iam, HEAD, [_buckets(account), *_instances(account)]),
        ]
    if any(made):
        time.sleep(PROPAGATION_SECONDS)
    return f"s3://{bucket}"


def storage() -> str:
    """Returns the same address as `prepare`, but on an instance, whose metadata service knows the region.

    Raises:
        InputError: this machine is no instance, or AWS refuses the request.
    """
    region = IMDSRegionProvider(botocore.session.get_session()).provide()
    if region is None:
        raise InputError("AWS: this machine is not an instance, or its metadata service does not answer")
    with _one_line(f"AWS, region {region}"):
        return f"s3://tautune-{_account(region)}-{region}"


def _account(region: str) -> str:
    return str(boto3.client("sts", region_name=region).get_caller_identity()["Account"])


@contextmanager
def _one_line(where: str) -> Iterator[None]:
    try:
        yield
    except (BotoCoreError, ClientError) as error:
        raise InputError(f"{where}: {error}") from None


def _make_bucket(bucket: str, region: str) -> None:
    s3 = boto3.client("s3", region_name=region)
    if bucket in [found["Name"] for found in s3.list_buckets()["Buckets"]]:
        return
    place: Any = {"CreateBucketConfiguration": {"LocationConstraint": region}} if region != "us-east-1" else {}
    s3.create_bucket(Bucket=bucket, **place)  # S3 keeps it private and encrypted by default since 2023


def _make_profile(iam: Any, name: str, statements: list[dict[str, Any]]) -> bool:
    """Creates a profile and its role, and returns whether it was missing. The policy is always written again."""
    trusted = {"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}
    with suppress(iam.exceptions.EntityAlreadyExistsException):
        iam.create_role(RoleName=name, AssumeRolePolicyDocument=_policy([trusted]))
    iam.put_role_policy(RoleName=name, PolicyName=name, PolicyDocument=_policy(statements))
    try:
        iam.create_instance_profile(InstanceProfileName=name)
    except iam.exceptions.EntityAlreadyExistsException:
        if iam.get_instance_profile(InstanceProfileName=name)["InstanceProfile"]["Roles"]:
            return False
    iam.add_role_to_instance_profile(InstanceProfileName=name, RoleName=name)
    return True


def _policy(statements: list[dict[str, Any]]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": statements})


def _buckets(account: str) -> dict[str, Any]:
    """Allows reading and writing tautune's buckets, in every region."""
    arn = f"arn:aws:s3:::tautune-{account}-*"
    actions = ["s3:ListBucket", "s3:GetBucketLocation", "s3:GetObject", "s3:PutObject", "s3:DeleteObject"]
    multipart = ["s3:AbortMultipartUpload", "s3:ListMultipartUploadParts", "s3:ListBucketMultipartUploads"]
    return _allow(actions + multipart, arn, f"{arn}/*")


def _instances(account: str) -> list[dict[str, Any]]:
    """Allows the autoscaler to start workers with their profile and image, and to terminate instances with our tag."""
    ours = {"StringEquals": {"aws:ResourceTag/project": "tautune"}}
    new = {"StringEquals": {"ec2:CreateAction": "RunInstances"}}
    first_spot_instance = {"StringEquals": {"iam:AWSServiceName": "spot.amazonaws.com"}}
    return [
        _allow(["ec2:Describe*", "ec2:RunInstances"], "*"),
        _allow(["ec2:CreateTags"], "*", condition=new),
        _allow(["ec2:CreateTags", "ec2:TerminateInstances"], "*", condition=ours),
        _allow(["iam:PassRole"], f"arn:aws:iam::{account}:role/{WORKER}"),
        _allow(["ssm:GetParameters"], "arn:aws:ssm:*::parameter/aws/service/deeplearning/*"),
        _allow(["iam:CreateServiceLinkedRole"], "*", condition=first_spot_instance),
    ]


def _allow(actions: list[str], *resources: str, condition: dict[str, Any] | None = None) -> dict[str, Any]:
    statement = {"Effect": "Allow", "Action": actions, "Resource": list(resources)}
    return statement | ({"Condition": condition} if condition else {})


def _region(file: str) -> str:
    provider = yaml.safe_load(Path(file).read_text())["provider"]
    if provider["type"] != "aws":
        raise InputError(f"{file} is for provider type {provider['type']!r}, not for 'aws'")
    return str(provider["region"])


def main(arguments: list[str]) -> int:
    """Runs `prepare FILE` on the user's machine or `storage` on an instance; returns the exit code."""
    try:
        match arguments:
            case ["prepare", file]:
                print(prepare(_region(file)))
            case ["storage"]:
                print(storage())
            case _:
                raise InputError("python -m tautune.cluster.providers.aws_account prepare CLUSTER.yaml | storage")
    except (InputError, OSError) as error:
        print(f"tautune: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
