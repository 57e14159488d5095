from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tuneloop.loop.deciding.evidence import EvidenceReader
from tuneloop.loop.erasure import Erased, erase_subject
from tuneloop.monitoring.shadows import ShadowStore
from tuneloop.monitoring.store import Prediction, PredictionStore, Shadow


@pytest.fixture
def store(database_url: str) -> Iterator[PredictionStore]:
    store = PredictionStore(database_url)
    subjects = ("anna", "ben", None)
    store.add_predictions(
        [Prediction(f"p{n}", "desk", "1", float(n), {"x": n}, {"label": "a"}, subjects[n % 3]) for n in range(30)]
    )
    store.add_labels([(f"p{n}", "a") for n in range(20)])
    ShadowStore(store).add_predictions([Shadow(f"p{n}", "2", float(n), {"label": "b"}) for n in range(30)])
    yield store
    store.close()


def keys(path: Path) -> list[str]:
    return [json.loads(line)["key"] for line in path.read_text().splitlines()]


def test_one_subject_is_erased_everywhere_and_nobody_else_is(store: PredictionStore, tmp_path: Path) -> None:
    state = tmp_path / ".tuneloop"
    frozen = [state / "runs" / run / "feedback.jsonl" for run in ("one", "two")]
    for path in frozen:
        path.parent.mkdir(parents=True)
        assert EvidenceReader(store, "desk").snapshot(path) == 20
    others = state / "runs" / "three" / "feedback.jsonl"
    others.parent.mkdir()
    others.write_text('{"key": "from elsewhere", "label": "a", "row": {}}\n')
    before = others.stat().st_mtime_ns

    assert erase_subject(store, state, "anna") == Erased(10, 14, ("one", "two"))
    mine = [f"p{n}" for n in range(0, 30, 3)]
    assert store.predictions(mine) == {}
    counts = store.counts("desk")
    assert (counts.predictions, counts.labelled, counts.waiting) == (20, 13, 0)
    for path in frozen:
        assert keys(path) == [f"p{n}" for n in range(20) if n % 3]
    assert others.stat().st_mtime_ns == before
    store.add_predictions([Prediction(mine[0], "desk", "1", 1.0, {}, {})])
    store.add_labels([(mine[0], "a")])
    assert ShadowStore(store).claim("desk", mine) == []

    assert erase_subject(store, state, "anna") == Erased(0, 0, ())
    assert erase_subject(store, tmp_path / "nowhere", "nobody") == Erased(0, 0, ())


def test_an_erasure_that_was_cut_off_is_done_again_whole(
    store: PredictionStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    state = tmp_path / ".tuneloop"
    path = state / "runs" / "one" / "feedback.jsonl"
    path.parent.mkdir(parents=True)
    EvidenceReader(store, "desk").snapshot(path)

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("tuneloop.artifact.os.fsync", full)
        with pytest.raises(OSError, match="No space"):
            erase_subject(store, state, "ben")
    assert len(store.ids_of("ben")) == 10
    assert erase_subject(store, state, "ben") == Erased(10, 7, ("one",))
    assert [one.name for one in path.parent.iterdir()] == ["feedback.jsonl"]


def test_rows_that_are_frozen_while_they_are_erased_are_found(
    store: PredictionStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run freezes its rows when the erasure has looked at the runs already, and the store has them still."""
    state = tmp_path / ".tuneloop"
    path = state / "runs" / "late" / "feedback.jsonl"
    erase = store.erase

    def erased_late(subject: str) -> int:
        assert EvidenceReader(store, "desk").snapshot(path) == 20
        return erase(subject)

    monkeypatch.setattr(store, "erase", erased_late)
    assert erase_subject(store, state, "anna") == Erased(10, 7, ("late",))
    assert keys(path) == [f"p{n}" for n in range(20) if n % 3]


def test_rows_that_are_erased_while_they_are_frozen_are_left_out(
    store: PredictionStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The erasure is over before there is a file to be looked at; the rows are in memory by then."""
    state = tmp_path / ".tuneloop"
    path = state / "runs" / "one" / "feedback.jsonl"
    done: list[Erased] = []

    def erased_meanwhile(row: object) -> bool:
        if not done:
            done.append(erase_subject(store, state, "anna"))
        return False

    monkeypatch.setattr("tuneloop.loop.deciding.frozen.hidden", erased_meanwhile)
    assert EvidenceReader(store, "desk").snapshot(path) == 13
    assert done == [Erased(10, 0, ())]
    assert keys(path) == [f"p{n}" for n in range(20) if n % 3]
