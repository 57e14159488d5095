"""A channel that two hosts share: whoever did not write it follows it."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from tests.unit.registry.test_registry import entry
from tests.unit.serving.conftest import make_keys

from tuneloop.pipeline.delivering.package import bento_home
from tuneloop.pipeline.promoting.challenge import Trial, challenge, stop_challenge
from tuneloop.pipeline.promoting.promotion import channel_path, channel_url, current_channel, publish
from tuneloop.registry import Registry
from tuneloop.serving.packaging.bento import bento_folder
from tuneloop.serving.trust.signature import MODEL_SUBJECT, SIGNATURE, Signer, Verifier
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


def test_a_host_without_the_signed_bentos_leaves_versions_signed(host: Host, tmp_path: Path, monkeypatch: Any) -> None:
    one, two = host("one"), host("two")
    private, public = make_keys(tmp_path)
    registry = Registry(one)
    for number, (run, content) in enumerate((("run-1", "a"), ("run-2", "b")), 1):
        made = entry(tmp_path, run, content)
        registry.register(made)
        place = bento_folder(bento_home(one.state), f"desk:{number}") / SIGNATURE
        place.parent.mkdir(parents=True)
        place.write_bytes(Signer(private).sign({MODEL_SUBJECT: made.artifact.sha256}, "desk", str(number)))
        registry.promote(str(number), "ada", "better")
        publish(one, registry)

    def champion() -> str:
        found = read_channel(channel_url(two)).champion
        envelope = None if found.signature is None else found.signature.encode()
        Verifier(public).check_model(envelope, found.sha256, model="desk", version=found.version)
        return found.version

    publish(two, Registry(two))
    assert champion() == "2"
    Registry(two).rollback("eve", "worse")
    publish(two, Registry(two))
    assert champion() == "1"
    # What was never signed stays so.
    Registry(two).register(entry(tmp_path, "run-3", "c"))
    Registry(two).promote("3", "eve", "new")
    assert publish(two, Registry(two)).champion.signature is None
