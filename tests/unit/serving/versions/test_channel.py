from __future__ import annotations

import json
import threading
from collections.abc import Callable
from pathlib import Path

import fsspec
import pytest

from tuneloop.api import ServingError
from tuneloop.artifact import TRAINING, Artifact
from tuneloop.serving.versions.channel import (
    Channel,
    ChannelEntry,
    artifact_place,
    read_channel,
    write_channel,
)
from tuneloop.serving.versions.transfer import fetch_artifact

SHA = "a" * 64


def channel(version: str = "1", artifact: str = "/somewhere") -> Channel:
    entry = ChannelEntry(version=version, artifact=artifact, sha256=SHA)
    return Channel(model="desk", champion=entry, updated="2026-01-01T00:00:00Z")


@pytest.mark.parametrize("where", ["file", "memory"])
def test_what_was_written_is_read(tmp_path: Path, where: str) -> None:
    url = str(tmp_path / "deep" / "channel.json") if where == "file" else "memory://test-channel/channel.json"
    write_channel(url, channel("7"))
    assert read_channel(url) == channel("7")


def test_a_reader_never_sees_a_part(tmp_path: Path) -> None:
    url = str(tmp_path / "channel.json")
    write_channel(url, channel("0"))
    seen: set[str] = set()
    done = threading.Event()
    errors: list[ServingError] = []

    def read() -> None:
        while not done.is_set():
            try:
                seen.add(read_channel(url).champion.version)
            except ServingError as error:
                errors.append(error)

    reader = threading.Thread(target=read)
    reader.start()
    for version in range(200):
        write_channel(url, channel(str(version), "x" * (1 + version * 50)))
    done.set()
    reader.join()
    assert not errors
    assert seen
    assert [path.name for path in tmp_path.iterdir()] == ["channel.json"]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "not a channel file"),
        ("{", "not a channel file"),
        ("[]", "not a channel file"),
        (json.dumps({"model": "desk", "updated": ""}), "champion: Field required"),
        (channel().model_dump_json().replace(SHA, "abc"), "champion.sha256"),
        (channel().model_dump_json().replace('"1"', '"../1"'), "champion.version"),
        ("x" * ((1 << 20) + 10), "larger than"),
    ],
)
def test_what_is_no_channel_is_refused_with_place_and_reason(tmp_path: Path, content: str, said: str) -> None:
    path = tmp_path / "channel.json"
    path.write_text(content)
    with pytest.raises(ServingError, match=said) as caught:
        read_channel(str(path))
    assert str(path) in str(caught.value)


def test_an_absent_channel_is_named(tmp_path: Path) -> None:
    with pytest.raises(ServingError, match="cannot be read: No such file"):
        read_channel(str(tmp_path / "none.json"))
    with pytest.raises(ServingError, match="nowhere"):
        read_channel("nowhere-protocol://x/channel.json")


def test_relative_artifacts_lie_beside_the_channel(tmp_path: Path) -> None:
    entry = channel(artifact="versions/1").champion
    assert artifact_place(str(tmp_path / "channel.json"), entry) == str(tmp_path / "versions" / "1")
    assert artifact_place("s3://bucket/desk/channel.json", entry) == "s3://bucket/desk/versions/1"
    entry = channel(artifact="s3://other/1").champion
    assert artifact_place(str(tmp_path / "channel.json"), entry) == "s3://other/1"


def test_an_artifact_by_url_is_copied_whole(tmp_path: Path, artifacts: Callable[..., Artifact]) -> None:
    artifact = artifacts()
    memory = fsspec.filesystem("memory")
    for path in artifact.folder.rglob("*"):
        if path.is_file():
            memory.pipe_file(f"/models/one/{path.relative_to(artifact.folder).as_posix()}", path.read_bytes())
    folder = fetch_artifact("memory://models/one", artifact.sha256, tmp_path)
    assert Artifact.open(folder, skip=(TRAINING,)).sha256 == artifact.sha256
    assert fetch_artifact("memory://models/one", artifact.sha256, tmp_path) == folder
    assert fetch_artifact(str(artifact.folder), artifact.sha256, tmp_path) == artifact.folder
