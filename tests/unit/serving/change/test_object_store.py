"""The channel and its artifacts in an S3-compatible store: moto's server, asked over HTTP by two real workers."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.unit.serving.change.conftest import BODY, MODEL, Load, Stage, until

from tuneloop.api import ServingError
from tuneloop.artifact import TRAINING, Artifact
from tuneloop.serving.versions.channel import ChallengerEntry, Channel, ChannelEntry, read_channel, write_channel
from tuneloop.serving.versions.split import KEY_HEADER, Split
from tuneloop.serving.versions.transfer import fetch_artifact, forget_artifacts, mirror_channel, put_artifact

s3fs = pytest.importorskip("s3fs", reason="the S3 client is not installed: pip install 's3fs'")


@pytest.fixture(scope="module")
def endpoint(tmp_path_factory: pytest.TempPathFactory, new_port: Callable[[], int]) -> Iterator[str]:
    pytest.importorskip("moto", reason="the S3 server is not installed: pip install 'moto[server]'")
    log, port = tmp_path_factory.mktemp("moto") / "log.txt", new_port()
    url = f"http://127.0.0.1:{port}"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)], stdout=output, stderr=output
        )

    def answers() -> bool:
        try:
            return httpx.get(f"{url}/moto-api/", timeout=120).status_code == 200
        except httpx.HTTPError:
            return False

    try:
        until(answers, 120, log.read_text)
        yield url
    finally:
        process.terminate()
        process.wait(30)


@pytest.fixture
def bucket(endpoint: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[str]:
    """The URL of an empty bucket; the environment says how to reach it, as it would in a cluster."""
    environment = {
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_CONFIG_FILE": str(tmp_path / "none"),
        "AWS_SHARED_CREDENTIALS_FILE": str(tmp_path / "none"),
        "AWS_EC2_METADATA_DISABLED": "true",
    }
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    s3fs.S3FileSystem.clear_instance_cache()
    httpx.post(f"{endpoint}/moto-api/reset", timeout=120)
    s3fs.S3FileSystem().mkdir("desk")
    yield "s3://desk"
    s3fs.S3FileSystem.clear_instance_cache()


def channel(versions: dict[str, Artifact], champion: str, challenger: str | None = None, **how: Any) -> Channel:
    def entry(version: str) -> dict[str, str]:
        artifact = versions[version]
        return {"version": version, "artifact": str(artifact.folder), "sha256": artifact.sha256}

    tried = None if challenger is None else ChallengerEntry(**entry(challenger), **how)
    written = str(time.time_ns())
    return Channel(model=MODEL, champion=ChannelEntry(**entry(champion)), challenger=tried, updated=written)


def test_a_channel_and_its_artifacts_go_there_and_back(
    bucket: str, versions: dict[str, Artifact], tmp_path: Path
) -> None:
    url, one = f"{bucket}/deep/channel.json", versions["1"]
    with pytest.raises(ServingError, match=r"the channel s3://desk/deep/channel\.json cannot be read"):
        read_channel(url)
    mirror_channel(url, channel(versions, "1", "2", mode="canary", share=0.25, by="job"))
    found = read_channel(url)
    assert found.champion.artifact == f"artifacts/{one.sha256}"
    assert found.challenger is not None
    assert (found.challenger.mode, found.challenger.share, found.challenger.by) == ("canary", 0.25, "job")
    store = s3fs.S3FileSystem(use_listings_cache=False)
    assert not [name for name in store.find("desk/deep") if f"/{TRAINING}/" in name]
    place = f"{bucket}/deep/{found.champion.artifact}"
    folder = fetch_artifact(place, one.sha256, tmp_path)
    assert Artifact.open(folder, skip=(TRAINING,)).sha256 == one.sha256
    # Half an upload is no artifact, and leaves no half copy.
    store.rm(f"desk/deep/artifacts/{one.sha256}/manifest.json")
    forget_artifacts(tmp_path, ())
    with pytest.raises(ServingError, match=r"there is no manifest\.json"):
        fetch_artifact(place, one.sha256, tmp_path)
    assert not list(tmp_path.iterdir())
    # What never was whole there is stored again.
    mirror_channel(url, channel(versions, "1"))
    assert Artifact.open(fetch_artifact(place, one.sha256, tmp_path), skip=(TRAINING,)).sha256 == one.sha256


def test_a_store_that_does_not_answer_is_one_clear_error(
    bucket: str, monkeypatch: pytest.MonkeyPatch, new_port: Callable[[], int]
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{new_port()}")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    s3fs.S3FileSystem.clear_instance_cache()
    with pytest.raises(ServingError, match=r"the channel s3://desk/channel\.json cannot be read: .*127\.0\.0\.1"):
        read_channel(f"{bucket}/channel.json")


def test_every_worker_follows_the_store_and_nothing_bad_is_followed(
    bucket: str, versions: dict[str, Artifact], serve: Callable[..., Stage]
) -> None:
    url = f"{bucket}/channel.json"
    store = s3fs.S3FileSystem(use_listings_cache=False)
    mirror_channel(url, channel(versions, "1"))
    stage = serve(workers=2, channel=url)
    stage.until(stage.whole)
    load = Load(lambda _: stage.server.url, clients=2)
    with load.running():
        # A corrupt object: both workers refuse it, the old version goes on.
        put_artifact(versions["3"], f"{bucket}/artifacts/{versions['3'].sha256}")
        model = f"desk/artifacts/{versions['3'].sha256}/model.onnx"
        good = store.cat_file(model)
        store.pipe_file(model, b"something else")
        write_channel(url, channel(versions, "3").model_copy(update={"champion": _at(versions, "3")}))
        stage.until(lambda: stage.total("tuneloop_channel_refusals_total", reason="corrupt") == 2)
        assert stage.live("1") == 2
        # Mended, and named again: both follow.
        store.pipe_file(model, good)
        mirror_channel(url, channel(versions, "3"))
        stage.until(lambda: stage.live("3") == 2)
        # Rolled back, with a canary beside it, for the same keys in every worker.
        mirror_channel(url, channel(versions, "1", "2", mode="canary", share=0.5))
        stage.until(lambda: stage.total("tuneloop_challenger_workers", version="2", mode="canary") == 2)
        stage.until(lambda: stage.live("1") == 2)
        split = Split(versions["2"].sha256, 0.5)
        for number in range(40):
            key = f"user {number % 10}"
            answer = httpx.post(f"{stage.server.url}/predict", json=BODY, headers={KEY_HEADER: key}, timeout=120)
            assert answer.json()["version"] == ("2" if split.holds(key) else "1")
    assert set(load.counts) <= {"1", "2", "3"}


def _at(versions: dict[str, Artifact], version: str) -> ChannelEntry:
    sha256 = versions[version].sha256
    return ChannelEntry(version=version, artifact=f"artifacts/{sha256}", sha256=sha256)
