"""A channel that two hosts share: whoever did not write it follows it."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from tests.unit.test_registry import entry

from tuneloop.pipeline.promoting.challenge import Trial, challenge, stop_challenge
from tuneloop.pipeline.promoting.promotion import channel_path, channel_url, current_channel, publish
from tuneloop.registry import Registry
from tuneloop.serving.versions.channel import read_channel

pytest.importorskip("mlflow")

Host = Callable[[str], Any]


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Host:
    """A project in a folder of its own; registry and channel are shared."""
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/mlflow.db")
    monkeypatch.setenv("TUNELOOP_CHANNEL", f"file://{tmp_path}/shared/channel.json")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "shared").mkdir()

    def make(name: str) -> Any:
        return SimpleNamespace(name="desk", state=tmp_path / name, storage=None)

    return make


def test_a_host_follows_what_another_one_wrote(host: Host, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    one, two = host("one"), host("two")
    registry = Registry(one)
    for run, content in (("run-1", "a"), ("run-2", "b")):
        registry.register(entry(tmp_path, run, content))
    assert current_channel(two) is None
    registry.promote("1", "ada", "first")
    publish(one, registry)
    found = current_channel(two)
    assert found is not None
    assert found.champion.version == "1"
    assert (Path(found.champion.artifact) / "manifest.json").is_file()
    assert found == read_channel(str(channel_path(two)))

    # A challenger that the other host began stays beside a champion that is published anew, and can be ended here.
    challenge(one, "2", Trial("shadow"), who="ada", why="a try")
    publish(two, Registry(two))
    again = current_channel(one)
    assert again is not None
    assert again.challenger is not None
    assert (again.challenger.version, again.challenger.mode) == ("2", "shadow")
    stop_challenge(two, who="eve", why="enough")
    ended = current_channel(one)
    assert ended is not None
    assert ended.challenger is None

    # The shared one cannot be read: what was known holds, and it is said.
    Path(channel_url(one).removeprefix("file://")).write_text("broken")
    with caplog.at_level(logging.WARNING):
        assert current_channel(one) == ended
    assert "what was known of the channel holds" in caplog.text
