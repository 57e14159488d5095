"""A real S3-compatible server of a test's own, on loopback: moto's, in a process of its own."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

_DEADLINE = 240.0


@dataclass(frozen=True, slots=True)
class ObjectStore:
    """A running server."""

    url: str
    log: Path

    def asked(self, part: str) -> bool:
        """Whether a request like this one, such as `GET /bucket/key`, was made."""
        return part in self.log.read_text()

    def environment(self, key: str = "testing", secret: str = "testing", url: str = "") -> dict[str, str]:
        """What a process needs to reach it, as in a cluster; `url` where the way there is another one."""
        return {
            "AWS_ENDPOINT_URL": url or self.url,
            "AWS_ACCESS_KEY_ID": key,
            "AWS_SECRET_ACCESS_KEY": secret,
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
            "AWS_EC2_METADATA_DISABLED": "true",
        }

    def reset(self) -> None:
        """Empty it, and let everybody in again."""
        self.allow_everything()
        httpx.post(f"{self.url}/moto-api/reset", timeout=120).raise_for_status()

    def client(self, service: str, **how: Any) -> Any:
        """A client of one of its services."""
        import boto3

        return boto3.client(
            service,
            endpoint_url=self.url,
            region_name="us-east-1",
            **{"aws_access_key_id": "testing", "aws_secret_access_key": "testing", **how},
        )

    def files(self, bucket: str) -> dict[str, int]:
        """The objects of a bucket with their sizes."""
        found = self.client("s3").list_objects_v2(Bucket=bucket).get("Contents", [])
        return {item["Key"]: item["Size"] for item in found}

    def forbid_writing(self, bucket: str, prefix: str = "") -> dict[str, str]:
        """From now on keys count; the environment of one that may do all but write below a prefix of the bucket."""
        iam = self.client("iam")
        iam.create_user(UserName="reader")
        said = [
            {"Effect": "Allow", "Action": "s3:*", "Resource": "*"},
            {"Effect": "Deny", "Action": "s3:PutObject", "Resource": f"arn:aws:s3:::{bucket}/{prefix}*"},
        ]
        document = json.dumps({"Version": "2012-10-17", "Statement": said})
        iam.put_user_policy(UserName="reader", PolicyName="read", PolicyDocument=document)
        key = iam.create_access_key(UserName="reader")["AccessKey"]
        self._ask_for_keys_after(0)
        return self.environment(key["AccessKeyId"], key["SecretAccessKey"])

    def allow_everything(self) -> None:
        """Keys count no more."""
        self._ask_for_keys_after(10**9)

    def _ask_for_keys_after(self, requests: int) -> None:
        httpx.post(f"{self.url}/moto-api/reset-auth", content=str(requests).encode(), timeout=120).raise_for_status()


@contextmanager
def running_store(folder: Path) -> Iterator[ObjectStore]:
    """Start a server, and stop it; `folder` gets its log."""
    pytest.importorskip("moto", reason="the S3 server is not installed: pip install 'moto[server]'")
    pytest.importorskip("s3fs", reason="the S3 client is not installed: pip install s3fs")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    log, url = folder / "moto.log", f"http://127.0.0.1:{port}"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)], stdout=output, stderr=output
        )
    try:
        deadline = time.monotonic() + _DEADLINE
        while not _answers(url):
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < deadline, log.read_text()
            time.sleep(0.05)
        yield ObjectStore(url, log)
    finally:
        process.terminate()
        process.wait(_DEADLINE)


def _answers(url: str) -> bool:
    try:
        return httpx.get(f"{url}/moto-api/", timeout=120).status_code == 200
    except httpx.HTTPError:
        return False
