"""The engine and the channel watcher in one process, on real artifacts."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Callable, Coroutine
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from prometheus_client import REGISTRY

from tuneloop.api import RequestError
from tuneloop.artifact import MANIFEST, Artifact, PluginUse, seal
from tuneloop.serving.engine import Engine
from tuneloop.serving.errors import NoStoreError, NotReadyError
from tuneloop.serving.loader import load_version
from tuneloop.serving.versions.channel import Channel, ChannelEntry, write_channel
from tuneloop.serving.versions.transfer import put_artifact
from tuneloop.serving.versions.watcher import ChannelWatcher

Artifacts = Callable[..., Artifact]
Rows = Callable[..., list[dict[str, Any]]]


def sample(name: str, **labels: str) -> float:
    return REGISTRY.get_sample_value(name, labels) or 0.0


class Stage:
    """An engine on version 1, and a channel to follow."""

    def __init__(self, folder: Path, first: Artifact) -> None:
        self.first, self.url = first, str(folder / "channel.json")
        self.model = first.manifest.model
        self.engine = Engine(self.model, threads=2)
        self.watcher = ChannelWatcher(self.url, self.engine, folder / "cache", interval=0.01)

    def point(self, artifact: Artifact, version: str, sha256: str | None = None, model: str | None = None) -> None:
        entry = ChannelEntry(version=version, artifact=str(artifact.folder), sha256=sha256 or artifact.sha256)
        write_channel(self.url, Channel(model=model or self.model, champion=entry, updated="now"))

    def run(self, play: Callable[[], Coroutine[Any, Any, None]]) -> None:
        async def everything() -> None:
            await self.engine.start(load_version(self.first.folder, "1", model=self.model))
            try:
                await play()
            finally:
                await self.engine.stop()

        asyncio.run(everything())

    def refusals(self, reason: str) -> float:
        return sample("tuneloop_channel_refusals_total", model=self.model, reason=reason)

    def live(self, version: str, artifact: Artifact) -> float:
        return sample("tuneloop_live_version", model=self.model, version=version, sha256=artifact.sha256)


def test_requests_during_swaps_are_all_answered_by_the_version_they_name(
    tmp_path: Path, artifacts: Artifacts, tiny_rows: Rows
) -> None:
    known = {version: artifacts(seed, model="swaps") for seed, version in enumerate(("1", "2", "3"))}
    stage, rows = Stage(tmp_path, known["1"]), tiny_rows(8)
    expected = {
        version: load_version(artifact.folder, version).predictor.predict(rows).answers
        for version, artifact in known.items()
    }

    async def play() -> None:
        seen: list[str] = []
        stopping = False

        async def client(position: int) -> None:
            while not stopping:
                answered = await stage.engine.predict([rows[position]])
                seen.append(answered.version)
                assert answered.answers == [expected[answered.version][position]]
                await asyncio.sleep(0)

        clients = [asyncio.create_task(client(position)) for position in range(8)]
        for version in ("2", "3", "1", "2"):
            stage.point(known[version], version)
            assert await stage.watcher.poll()
            assert not await stage.watcher.poll()
        stopping = True
        await asyncio.gather(*clients)
        assert {"1", "2", "3"} <= set(seen)

    stage.run(play)
    assert sample("tuneloop_swaps_total", model="swaps") == 4
    assert {version: stage.live(version, artifact) for version, artifact in known.items()} == dict.fromkeys("123", 0)


def test_the_live_gauge_names_one_version(tmp_path: Path, artifacts: Artifacts) -> None:
    one, two = artifacts(1, model="gauges"), artifacts(2, model="gauges")
    stage = Stage(tmp_path, one)

    async def play() -> None:
        assert (stage.live("1", one), stage.live("2", two)) == (1, 0)
        stage.point(two, "2")
        await stage.watcher.poll()
        await asyncio.gather(*stage.engine._retiring)
        assert (stage.live("1", one), stage.live("2", two)) == (0, 1)
        stage.point(one, "1")
        await stage.watcher.poll()
        stage.point(two, "2")
        await stage.watcher.poll()
        await asyncio.gather(*stage.engine._retiring)
        assert (stage.live("1", one), stage.live("2", two)) == (0, 1)

    stage.run(play)


def spoil_hash(stage: Stage, artifacts: Artifacts) -> None:
    stage.point(artifacts(5, model=stage.model), "2", sha256="0" * 64)


def spoil_file(stage: Stage, artifacts: Artifacts) -> None:
    artifact = artifacts(5, model=stage.model)
    (artifact.folder / "model.onnx").write_bytes(b"something else")
    stage.point(artifact, "2")


def spoil_model(stage: Stage, artifacts: Artifacts) -> None:
    stage.point(artifacts(5, model="another"), "2", model="another")


def spoil_label(stage: Stage, artifacts: Artifacts) -> None:
    stage.point(artifacts(5, model="another"), "2")


def spoil_signature(stage: Stage, artifacts: Artifacts) -> None:
    other = artifacts(5, model=stage.model)
    columns = (replace(other.manifest.signature.columns[0], name="years"), *other.manifest.signature.columns[1:])
    signature = other.manifest.signature.model_copy(update={"columns": columns})
    (other.folder / MANIFEST).unlink()
    stage.point(seal(other.folder, other.manifest.model_copy(update={"signature": signature})), "2")


def spoil_answers(stage: Stage, artifacts: Artifacts) -> None:
    stage.point(artifacts(5, model=stage.model, wrong_answers=True), "2")


def spoil_plugins(stage: Stage, artifacts: Artifacts) -> None:
    use = PluginUse(distribution="a-stranger", version="1.0", names=("stranger",), serving=True)
    stage.point(artifacts(5, model=stage.model, plugins=(use,)), "2")


def spoil_version(stage: Stage, artifacts: Artifacts) -> None:
    use = PluginUse(distribution="tuneloop", version="0.0.0", names=("core-tasks",), serving=True)
    stage.point(artifacts(5, model=stage.model, plugins=(use,)), "2")


def spoil_folder(stage: Stage, artifacts: Artifacts) -> None:
    artifact = artifacts(5, model=stage.model)
    stage.point(artifact, "2")
    shutil.rmtree(artifact.folder)


def spoil_channel(stage: Stage, artifacts: Artifacts) -> None:
    Path(stage.url).write_text("{half a chan")


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (spoil_hash, "wrong-hash"),
        (spoil_file, "corrupt"),
        (spoil_model, "wrong-model"),
        (spoil_label, "wrong-model"),
        (spoil_signature, "signature"),
        (spoil_answers, "golden"),
        (spoil_plugins, "plugin"),
        (spoil_version, "plugin"),
        (spoil_folder, "corrupt"),
        (spoil_channel, "unreadable"),
    ],
)
def test_a_refused_version_leaves_the_old_one_serving_and_is_counted_once(
    tmp_path: Path, artifacts: Artifacts, tiny_rows: Rows, spoil: Callable[[Stage, Artifacts], None], reason: str
) -> None:
    stage = Stage(tmp_path, artifacts(1, model=f"refusing-{spoil.__name__}"))

    async def play() -> None:
        spoil(stage, artifacts)
        for _ in range(3):
            assert not await stage.watcher.poll()
        assert stage.refusals(reason) == 1
        assert (await stage.engine.predict(tiny_rows(1))).version == "1"
        good = artifacts(6, model=stage.model)
        stage.point(good, "3")
        assert await stage.watcher.poll()
        assert (await stage.engine.predict(tiny_rows(1))).version == "3"

    stage.run(play)


def test_the_watcher_runs_by_itself(tmp_path: Path, artifacts: Artifacts) -> None:
    stage = Stage(tmp_path, artifacts(1, model="by-itself"))
    two = artifacts(2, model="by-itself")

    async def play() -> None:
        following = asyncio.create_task(stage.watcher.run())
        stage.point(two, "2")
        async with asyncio.timeout(20):
            while stage.engine.live.version != "2":
                await asyncio.sleep(0.01)
        following.cancel()

    stage.run(play)


def test_one_bad_row_refuses_its_request_and_no_other(tmp_path: Path, artifacts: Artifacts, tiny_rows: Rows) -> None:
    stage = Stage(tmp_path, artifacts(1, model="bad-rows"))
    rows = tiny_rows(30)

    async def play() -> None:
        bad = [*rows[:2], {**rows[2], "age": "old"}]
        results = await asyncio.gather(
            *(stage.engine.predict(bad if i % 3 == 0 else [rows[i]]) for i in range(30)), return_exceptions=True
        )
        for position, result in enumerate(results):
            if position % 3 == 0:
                assert isinstance(result, RequestError)
                assert (result.field, result.row) == ("age", 2)
            else:
                assert not isinstance(result, BaseException)

    stage.run(play)


def test_before_the_start_and_without_a_store(tmp_path: Path, artifacts: Artifacts) -> None:
    stage = Stage(tmp_path, artifacts(1, model="no-store"))
    assert not stage.engine.ready
    with pytest.raises(NotReadyError):
        _ = stage.engine.live

    async def play() -> None:
        with pytest.raises(NoStoreError):
            await stage.engine.label([("an-id", "low")])

    stage.run(play)


def test_a_model_too_slow_to_run_inline_answers_the_same_from_threads(
    tmp_path: Path, artifacts: Artifacts, tiny_rows: Rows, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tuneloop.serving.batcher.INLINE_SECONDS", 0.0)
    one, two = artifacts(1, model="threads"), artifacts(2, model="threads")
    stage, rows = Stage(tmp_path, one), tiny_rows(100)
    expected = load_version(one.folder, "1").predictor.predict(rows).answers

    async def play() -> None:
        whole = await stage.engine.predict(rows, size=1 << 20)
        assert [answer["label"] for answer in whole.answers] == [answer["label"] for answer in expected]
        under_way = [asyncio.create_task(stage.engine.predict([row])) for row in rows]
        await asyncio.sleep(0)
        stage.point(two, "2")
        assert await stage.watcher.poll()
        for task, answer in zip(under_way, expected, strict=True):
            answered = await task
            assert answered.version == "1"
            assert answered.answers[0]["scores"] == pytest.approx(answer["scores"], rel=1e-5)
        assert (await stage.engine.predict(rows[:1])).version == "2"

    stage.run(play)


def test_raw_values_the_graph_cannot_take_are_the_clients_fault(tmp_path: Path, artifacts: Artifacts) -> None:
    stage = Stage(tmp_path, artifacts(1, model="raw"))
    numeric = np.zeros((1, 3), dtype=np.float32)

    async def play() -> None:
        version, outputs = await stage.engine.infer({"numeric": numeric, "categorical": np.array([[2]])})
        assert (version, outputs["logits"].shape) == ("1", (1, 2))
        with pytest.raises(RequestError, match="cannot take"):
            await stage.engine.infer({"numeric": numeric, "categorical": np.array([[99]])})

    stage.run(play)


def test_a_version_that_was_mended_is_tried_again_when_the_channel_is_written_again(
    tmp_path: Path, artifacts: Artifacts
) -> None:
    stage = Stage(tmp_path, artifacts(1, model="mended"))
    two = artifacts(2, model="mended")
    good = (two.folder / "model.onnx").read_bytes()

    async def play() -> None:
        (two.folder / "model.onnx").write_bytes(b"something else")
        stage.point(two, "2")
        assert not await stage.watcher.poll()
        (two.folder / "model.onnx").write_bytes(good)
        assert not await stage.watcher.poll()
        entry = ChannelEntry(version="2", artifact=str(two.folder), sha256=two.sha256)
        write_channel(stage.url, Channel(model="mended", champion=entry, updated="later"))
        assert await stage.watcher.poll()
        assert stage.refusals("corrupt") == 1

    stage.run(play)


def test_an_artifact_that_cannot_be_fetched_is_counted_once_and_tried_again(
    tmp_path: Path, artifacts: Artifacts, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tuneloop.serving.versions.watcher.RETRY_SECONDS", 0.0)
    stage, two = Stage(tmp_path, artifacts(1, model="fetched")), artifacts(2, model="fetched")

    async def play() -> None:
        entry = ChannelEntry(version="2", artifact="memory://fetched/two", sha256=two.sha256)
        write_channel(stage.url, Channel(model="fetched", champion=entry, updated="now"))
        for _ in range(3):
            assert not await stage.watcher.poll()
        assert stage.refusals("unreadable") == 1
        put_artifact(two, "memory://fetched/two")
        assert await stage.watcher.poll()
        assert [folder.name for folder in (tmp_path / "cache").iterdir()] == [two.sha256]
        stage.point(stage.first, "1")
        assert await stage.watcher.poll()
        # What is served no more is not kept.
        assert list((tmp_path / "cache").iterdir()) == []

    stage.run(play)
