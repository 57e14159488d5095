"""Versions that arrive by the channel where signatures are asked for: the engine and the watcher in one process."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import REGISTRY

from tuneloop.artifact import Artifact
from tuneloop.serving.engine import Engine
from tuneloop.serving.loader import load_version
from tuneloop.serving.trust.signature import MODEL_SUBJECT, Signer, Verifier
from tuneloop.serving.versions.channel import Channel, ChannelEntry, write_channel
from tuneloop.serving.versions.watcher import ChannelWatcher

Artifacts = Callable[..., Artifact]
Keys = Callable[[], tuple[Path, Path]]
Sign = Callable[[Signer, Signer, Artifact], bytes | None]


def signed(signer: Signer, artifact: Artifact, version: str = "2", model: str | None = None) -> bytes:
    return signer.sign({MODEL_SUBJECT: artifact.sha256}, model or artifact.manifest.model, version)


def unsigned(own: Signer, other: Signer, artifact: Artifact) -> None:
    return None


def wrong_key(own: Signer, other: Signer, artifact: Artifact) -> bytes:
    return signed(other, artifact)


def another_version(own: Signer, other: Signer, artifact: Artifact) -> bytes:
    return signed(own, artifact, version="1")


def another_artifact(own: Signer, other: Signer, artifact: Artifact) -> bytes:
    return own.sign({MODEL_SUBJECT: "0" * 64}, artifact.manifest.model, "2")


def cut_off(own: Signer, other: Signer, artifact: Artifact) -> bytes:
    return signed(own, artifact)[:100]


@pytest.mark.parametrize("sign", [unsigned, wrong_key, another_version, another_artifact, cut_off])
def test_a_version_that_is_not_rightly_signed_leaves_the_old_one_serving(
    tmp_path: Path,
    artifacts: Artifacts,
    tiny_rows: Callable[..., list[dict[str, Any]]],
    keys: Keys,
    caplog: pytest.LogCaptureFixture,
    sign: Sign,
) -> None:
    model = f"trusting-{sign.__name__}"
    (own, public), (other, _) = keys(), keys()
    one, two = artifacts(1, model=model), artifacts(2, model=model)
    url, engine = str(tmp_path / "channel.json"), Engine(model)
    watcher = ChannelWatcher(url, engine, tmp_path / "cache", verifier=Verifier(public))

    def point(envelope: bytes | None) -> None:
        text = None if envelope is None else envelope.decode()
        entry = ChannelEntry(version="2", artifact=str(two.folder), sha256=two.sha256, signature=text)
        write_channel(url, Channel(model=model, champion=entry, updated="now"))

    def refusals() -> float:
        labels = {"model": model, "reason": "untrusted"}
        return REGISTRY.get_sample_value("tuneloop_channel_refusals_total", labels) or 0.0

    async def play() -> None:
        await engine.start(load_version(one.folder, "1", model=model))
        try:
            point(sign(Signer(own), Signer(other), two))
            assert not await watcher.poll()
            assert not await watcher.poll()
            assert refusals() == 1
            assert (await engine.predict(tiny_rows(1))).version == "1"
            # The same version, now rightly signed, is another entry.
            point(signed(Signer(own), two))
            assert await watcher.poll()
            assert (await engine.predict(tiny_rows(1))).version == "2"
            # Files that changed after they were signed are refused too: the old one goes on.
            three = artifacts(3, model=model)
            (three.folder / "model.onnx").write_bytes(b"something else")
            text = signed(Signer(own), three, version="3").decode()
            entry = ChannelEntry(version="3", artifact=str(three.folder), sha256=three.sha256, signature=text)
            write_channel(url, Channel(model=model, champion=entry, updated="now"))
            assert not await watcher.poll()
            assert (await engine.predict(tiny_rows(1))).version == "2"
        finally:
            await engine.stop()

    asyncio.run(play())
    assert "is not followed (untrusted)" in caplog.text
    assert "was changed" in caplog.text


def test_without_keys_nothing_has_to_be_signed(tmp_path: Path, artifacts: Artifacts) -> None:
    one, two = artifacts(1, model="trustful"), artifacts(2, model="trustful")
    url, engine = str(tmp_path / "channel.json"), Engine("trustful")

    async def play() -> None:
        await engine.start(load_version(one.folder, "1"))
        entry = ChannelEntry(version="2", artifact=str(two.folder), sha256=two.sha256)
        write_channel(url, Channel(model="trustful", champion=entry, updated="now"))
        try:
            assert await ChannelWatcher(url, engine, tmp_path / "cache").poll()
        finally:
            await engine.stop()

    asyncio.run(play())
