"""A challenger beside a champion in one engine, on real artifacts, followed through a real channel file."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from prometheus_client import REGISTRY

from tuneloop.api import Arrays, RequestError
from tuneloop.artifact import Artifact
from tuneloop.monitoring.retention import expire
from tuneloop.monitoring.store import PredictionStore
from tuneloop.serving.engine import Engine
from tuneloop.serving.limits import Limits
from tuneloop.serving.loader import load_version
from tuneloop.serving.storing import StoreSettings
from tuneloop.serving.versions import challenger as module
from tuneloop.serving.versions.channel import ChallengerEntry, Channel, ChannelEntry, write_channel
from tuneloop.serving.versions.split import Split
from tuneloop.serving.versions.watcher import ChannelWatcher

Artifacts = Callable[..., Artifact]
Rows = Callable[..., list[dict[str, Any]]]


def total(name: str, **labels: str) -> float:
    samples = [one for family in REGISTRY.restricted_registry([name]).collect() for one in family.samples]
    return sum(one.value for one in samples if one.name == name and labels.items() <= one.labels.items())


class Stage:
    """An engine on version 1, and a channel that may name version 2 as its challenger."""

    def __init__(self, folder: Path, artifacts: Artifacts, model: str, *, store: bool = False) -> None:
        self.model, self.url = model, str(folder / "channel.json")
        self.artifacts = {"1": artifacts(1, model=model), "2": artifacts(2, model=model)}
        self.store_url = f"sqlite:///{folder}/predictions.db" if store else None
        self.engine = Engine(model, threads=2, store=StoreSettings(self.store_url), limits=Limits(deadline_seconds=3))
        self.watcher = ChannelWatcher(self.url, self.engine, folder / "cache", interval=0.01)

    def entry(self, version: str) -> dict[str, str]:
        artifact = self.artifacts[version]
        return {"version": version, "artifact": str(artifact.folder), "sha256": artifact.sha256}

    async def point(self, champion: str = "1", challenger: str | None = "2", **how: Any) -> None:
        tried = None if challenger is None else ChallengerEntry(**{**self.entry(challenger), **how})
        entry = ChannelEntry(**self.entry(champion))
        write_channel(self.url, Channel(model=self.model, champion=entry, challenger=tried, updated="now"))
        await self.watcher.poll()

    def run(self, play: Callable[[], Coroutine[Any, Any, None]]) -> None:
        async def everything() -> None:
            await self.engine.start(load_version(self.artifacts["1"].folder, "1", model=self.model))
            try:
                await play()
            finally:
                await self.engine.stop()

        asyncio.run(everything())

    def spoil(self, run: Callable[[Arrays], Arrays]) -> None:
        """What the challenger's graph does from now on."""
        challenger = self.engine.challenger
        assert challenger is not None
        challenger.live.batcher._run = run

    def shadows(self) -> dict[str, float]:
        known = ("agree", "differ", "failed", "dropped")
        return {outcome: total("tuneloop_shadow_rows_total", model=self.model, outcome=outcome) for outcome in known}

    async def shadowed(self, rows: int) -> None:
        async with asyncio.timeout(60):
            while sum(self.shadows().values()) < rows:
                await asyncio.sleep(0.01)

    def failures(self, reason: str) -> float:
        return total("tuneloop_challenger_failures_total", model=self.model, version="2", reason=reason)

    def workers(self, mode: str) -> float:
        return total("tuneloop_challenger_workers", model=self.model, version="2", mode=mode)


def test_a_canary_answers_the_keys_that_are_its_own(tmp_path: Path, artifacts: Artifacts, tiny_rows: Rows) -> None:
    stage, rows = Stage(tmp_path, artifacts, "canary"), tiny_rows(60)
    expected = {v: load_version(a.folder, v).predictor.predict(rows).answers for v, a in stage.artifacts.items()}

    async def play() -> None:
        await stage.point(mode="canary", share=0.4, by="age")
        assert stage.workers("canary") == 1
        split = Split(stage.artifacts["2"].sha256, 0.4, "age")
        versions = set()
        for position, row in enumerate(rows):
            answered = await stage.engine.predict([row])
            assert answered.version == ("2" if split.takes([row]) else "1")
            assert answered.answers == [expected[answered.version][position]]
            versions.add(answered.version)
            assert (await stage.engine.predict([row], key="anna")).version == ("2" if split.holds("anna") else "1")
            assert (await stage.engine.champion([row])).version == "1"
        assert versions == {"1", "2"}
        await stage.point(challenger=None)
        async with asyncio.timeout(60):
            while stage.workers("canary"):
                await asyncio.sleep(0.01)
        assert {(await stage.engine.predict([row])).version for row in rows} == {"1"}

    stage.run(play)
    assert total("tuneloop_live_version", model="canary", version="2") == 0


def fail(_: Arrays) -> Arrays:
    raise RuntimeError("out of memory")


def nothing_finite(inputs: Arrays) -> Arrays:
    rows = len(inputs["numeric"])
    return {"logits": np.full((rows, 2), np.nan, np.float32), "embedding": np.zeros((rows, 3), np.float32)}


@pytest.mark.parametrize("mode", ["canary", "shadow"])
@pytest.mark.parametrize("broken", [fail, nothing_finite])
def test_a_challenger_that_fails_fails_no_request(
    tmp_path: Path, artifacts: Artifacts, tiny_rows: Rows, mode: str, broken: Callable[[Arrays], Arrays]
) -> None:
    model = f"failing-{mode}-{broken.__name__}"
    stage, rows = Stage(tmp_path, artifacts, model), tiny_rows(module.MOST_FAILURES + 10)
    expected = load_version(stage.artifacts["1"].folder, "1").predictor.predict(rows).answers

    async def play() -> None:
        await stage.point(mode=mode)
        stage.spoil(broken)
        for position, row in enumerate(rows):
            answered = await stage.engine.predict([row])
            assert (answered.version, answered.answers) == ("1", [expected[position]])
            if mode == "shadow" and position < module.MOST_FAILURES:
                await stage.shadowed(position + 1)
        # It was asked until it had failed too often, and not again.
        assert stage.failures("error") == module.MOST_FAILURES
        assert stage.workers(mode) == 0
        if mode == "shadow":
            assert stage.shadows() == {"agree": 0, "differ": 0, "failed": module.MOST_FAILURES, "dropped": 0}

    stage.run(play)


def test_a_canary_that_hangs_is_left_behind(
    tmp_path: Path, artifacts: Artifacts, tiny_rows: Rows, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tuneloop.serving.batcher.INLINE_SECONDS", 0.0)
    stage, rows = Stage(tmp_path, artifacts, "hanging"), tiny_rows(3)
    released = threading.Event()

    def hang(_: Arrays) -> Arrays:
        released.wait(60)
        raise RuntimeError("at last")

    async def play() -> None:
        await stage.point(mode="canary")
        stage.spoil(hang)
        try:
            answered = await asyncio.gather(*(stage.engine.predict([row]) for row in rows))
        finally:
            released.set()
        assert [one.version for one in answered] == ["1"] * 3
        assert stage.failures("timeout") == 3

    stage.run(play)


def test_a_request_that_both_refuse_is_the_clients_fault(tmp_path: Path, artifacts: Artifacts) -> None:
    stage = Stage(tmp_path, artifacts, "refusing")

    async def play() -> None:
        await stage.point(mode="canary")
        with pytest.raises(RequestError, match="must be a number"):
            await stage.engine.predict([{"age": "old", "hours per week": 1.0, "job": "cook"}])
        assert stage.failures("refused") == 0

    stage.run(play)


def test_a_shadow_answers_unseen_and_labels_score_both(tmp_path: Path, artifacts: Artifacts, tiny_rows: Rows) -> None:
    stage, rows = Stage(tmp_path, artifacts, "shadow", store=True), tiny_rows(100)
    answers = {v: load_version(a.folder, v).predictor.predict(rows).answers for v, a in stage.artifacts.items()}
    labels = {v: [answer["label"] for answer in given] for v, given in answers.items()}
    agreed = sum(one == two for one, two in zip(labels["1"], labels["2"], strict=True))

    async def play() -> None:
        await stage.point(mode="shadow")
        ids: list[str] = []
        for start in range(0, 100, 20):
            answered = await stage.engine.predict(rows[start : start + 20])
            assert answered.version == "1"
            assert [answer["label"] for answer in answered.answers] == labels["1"][start : start + 20]
            ids += answered.ids
        # Half of the labels come before the shadow's answers are stored, or may.
        await stage.engine.label([(id_, "low") for id_ in ids[:50]])
        await stage.shadowed(100)
        assert stage.shadows() == {"agree": agreed, "differ": 100 - agreed, "failed": 0, "dropped": 0}
        assert 0 < agreed < 100
        await stage.engine.label([(id_, "low") for id_ in ids])
        right = {
            "both": sum(one == two == "low" for one, two in zip(labels["1"], labels["2"], strict=True)),
            "champion": sum(one == "low" != two for one, two in zip(labels["1"], labels["2"], strict=True)),
            "challenger": sum(two == "low" != one for one, two in zip(labels["1"], labels["2"], strict=True)),
            "neither": sum("low" not in pair for pair in zip(labels["1"], labels["2"], strict=True)),
        }

        def found() -> dict[str, float]:
            name, pair = "tuneloop_shadow_labels_total", {"model": "shadow", "version": "2", "champion": "1"}
            return {which: total(name, right=which, **pair) for which in right}

        async with asyncio.timeout(30):
            while found() != right:
                await asyncio.sleep(0.02)

    stage.run(play)
    # Nobody but the champion's answers is in the store, on the counters of answers, and among the live versions.
    assert stage.store_url is not None
    store = PredictionStore(stage.store_url)
    assert {pair.prediction.version for pair in store.labelled_rows("shadow")} == {"1"}
    assert expire(store, "shadow", 1e12) == 100
    store.close()
    assert total("tuneloop_predictions_total", model="shadow", version="2") == 0
    assert total("tuneloop_labels_total", model="shadow", version="1", outcome="correct") == labels["1"].count("low")


def test_a_shadow_that_cannot_keep_up_is_shown_less(
    tmp_path: Path, artifacts: Artifacts, tiny_rows: Rows, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MOST_WAITING_ROWS", 48)
    stage, rows = Stage(tmp_path, artifacts, "busy"), tiny_rows(200)

    async def play() -> None:
        await stage.point(mode="shadow")
        assert len((await stage.engine.predict(rows)).answers) == 200
        assert stage.shadows()["dropped"] == 152
        await stage.shadowed(200)
        assert stage.shadows()["agree"] + stage.shadows()["differ"] == 48
        # What waits when the trial ends is dropped and counted too.
        await stage.engine.predict(rows[:40])
        await stage.point(challenger=None)
        await stage.shadowed(240)
        assert sum(stage.shadows().values()) == 240

    stage.run(play)


def test_a_refused_challenger_leaves_the_champion_alone_and_a_promoted_one_is_not_loaded_again(
    tmp_path: Path, artifacts: Artifacts, tiny_rows: Rows
) -> None:
    stage = Stage(tmp_path, artifacts, "promoting")

    async def play() -> None:
        for _ in range(3):
            await stage.point(mode="canary", sha256="0" * 64)
        assert total("tuneloop_challenger_refusals_total", model="promoting", reason="wrong-hash") == 1
        assert total("tuneloop_channel_refusals_total", model="promoting") == 0
        assert (await stage.engine.predict(tiny_rows(1))).version == "1"
        await stage.point(mode="canary")
        challenger = stage.engine.challenger
        assert challenger is not None
        loaded = challenger.live.loaded
        await stage.point("2", challenger=None)
        assert stage.engine.live is loaded
        assert stage.engine.challenger is None
        assert (await stage.engine.predict(tiny_rows(1))).version == "2"
        # A version is not tried beside itself.
        await stage.point("2", challenger="2", mode="shadow")
        assert stage.engine.challenger is None

    stage.run(play)


def test_one_row_that_a_shadow_cannot_answer_is_not_held_against_others(
    tmp_path: Path, artifacts: Artifacts, tiny_rows: Rows
) -> None:
    stage, rows = Stage(tmp_path, artifacts, "one-row"), tiny_rows(30)
    ages = [row["age"] for row in rows]
    odd = ages.index(max(ages))

    async def play() -> None:
        await stage.point(mode="shadow")
        challenger = stage.engine.challenger
        assert challenger is not None
        run = challenger.live.batcher._run

        def picky(inputs: Arrays) -> Arrays:
            if (inputs["numeric"][:, 0] >= (max(ages) - 45) / 15 - 1e-6).any():
                raise RuntimeError("too old")
            return run(inputs)

        stage.spoil(picky)
        # All of them wait before the shadow gets its first turn.
        await asyncio.gather(*(stage.engine.predict([row]) for row in rows))
        await stage.shadowed(30)
        assert stage.shadows()["failed"] == ages.count(ages[odd])
        assert stage.shadows()["agree"] + stage.shadows()["differ"] == 30 - ages.count(ages[odd])

    stage.run(play)
