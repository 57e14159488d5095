from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.exc import SQLAlchemyError

from tuneloop.api import RunError
from tuneloop.loop.deciding.decisions import Incoming
from tuneloop.loop.deciding.evidence import EvidenceReader, fault
from tuneloop.monitoring.store import Labelled, Prediction


def labelled(rows: list[tuple[object, object]]) -> list[Labelled]:
    return [
        Labelled(Prediction(str(number), "desk", "1", 0.0, {"x": x}, {}), label, 0.0)
        for number, (x, label) in enumerate(rows)
    ]


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ([(1, "a"), (2, "b"), (3, "a")], ""),
        ([(1, "a"), (2, "a")], "have the label"),
        ([(1, "a"), (1, "b")], "hold the same values"),
        ([], "have the label none"),
        ([(1, "a"), (1, "b"), (2, "a"), (2, "b"), (3, "a")], "4 of 5"),
        ([(1, "a"), (1, "b"), (2, "a"), (3, "b"), (4, "a")], ""),
    ],
)
def test_rows_that_teach_nothing_are_found(rows: list[tuple[object, object]], words: str) -> None:
    found = fault(labelled(rows))
    assert bool(found) == bool(words)
    assert words in found


def test_a_snapshot_holds_the_last_labels_and_stays(make_desk: Callable[..., Any], tmp_path: Path) -> None:
    desk = make_desk()
    desk.label(4)
    desk.store.add_labels([("p0", "b")])
    path = tmp_path / "runs" / "r" / "feedback.jsonl"
    reader = EvidenceReader(desk.store, "desk")
    assert reader.snapshot(path) == 4
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert lines[0] == {"key": "p0", "row": {"x": 0}, "label": "b"}
    before = path.read_bytes()
    desk.label(10, first=4)
    assert reader.snapshot(path) == 4
    assert path.read_bytes() == before


def test_evidence_counts_and_judges(make_desk: Callable[..., Any]) -> None:
    desk = make_desk()
    desk.label(4)
    desk.clock.now += 10
    desk.label(6, first=4)
    reader = EvidenceReader(desk.store, "desk")
    assert (reader.read(0.0).predictions, reader.read(0.0).labelled) == (10, 10)
    late = reader.read(desk.clock.now)
    assert (late.predictions, late.labelled, late.fault()) == (6, 6, "")


def test_rows_whose_inputs_were_not_kept_are_not_learned_from(make_desk: Callable[..., Any], tmp_path: Path) -> None:
    desk = make_desk()
    desk.label(4)
    hidden: list[dict[str, Any]] = [{}, {"x": {"hashed": "0" * 32}}, {"x": 1, "y": {"dropped": True}}]
    now = desk.clock()
    desk.store.add_predictions([Prediction(f"h{n}", "desk", "1", now, hidden[n % 3], {"label": "a"}) for n in range(6)])
    reader = EvidenceReader(desk.store, "desk")
    desk.store.add_labels([(f"h{n}", "a") for n in range(4)])
    assert reader.read(0.0).fault() == ""
    desk.store.add_labels([(f"h{n}", "a") for n in range(4, 6)])
    assert reader.read(0.0).fault().startswith("6 of 10 labelled rows hold hashed or dropped inputs")
    path = tmp_path / "feedback.jsonl"
    assert reader.snapshot(path) == 4
    assert all(json.loads(line)["key"].startswith("p") for line in path.read_text().splitlines())


def test_without_a_store_there_is_no_evidence(tmp_path: Path) -> None:
    reader = EvidenceReader(None, "desk")
    assert reader.read(0.0).labelled == 0
    with pytest.raises(RunError, match="no prediction store"):
        reader.snapshot(tmp_path / "x.jsonl")


def test_what_can_be_learned_from_may_still_be_doubted(make_desk: Callable[..., Any]) -> None:
    desk = make_desk()
    desk.label(4)
    asked: list[int] = []

    def doubted(rows: Any) -> str:
        asked.append(len(rows))
        return "They are probably wrong."

    reader = EvidenceReader(desk.store, "desk", doubted)
    assert reader.read(0.0).fault() == reader.read(0.0).fault() == "They are probably wrong."
    # As long as no label comes the answer stays; a storm of alerts is no storm of work.
    assert asked == [4]
    desk.label(1, first=4)
    reader.read(0.0).fault()
    assert asked == [4, 5]


def test_while_the_store_cannot_be_read_nothing_is_decided(make_desk: Callable[..., Any], tmp_path: Path) -> None:
    desk = make_desk()
    alert = Incoming("TuneloopAccuracyLow", "desk", "", "", "a", "2026-11-21T10:00:00Z", "worse", firing=True)
    with closing(sqlite3.connect(tmp_path / ".tuneloop" / "predictions.db")) as database:
        database.execute("alter table tuneloop_labels rename to away")
        with pytest.raises(SQLAlchemyError):
            desk.brain.take(alert)
        assert desk.decisions.recent_alerts(9) == []
        # Alertmanager sends it again; by then the store may answer.
        database.execute("alter table away rename to tuneloop_labels")
    assert str(desk.brain.take(alert).record.reason) == "few-labels"


def test_the_records_are_free_while_labelled_rows_are_read(make_desk: Callable[..., Any], tmp_path: Path) -> None:
    """That may take many seconds, and whoever records something would wait, a trial at work among them."""
    desk = make_desk()
    desk.label(20)
    asked: list[str] = []

    def doubted(_: Any) -> str:
        with closing(sqlite3.connect(tmp_path / ".tuneloop" / "loop.db", timeout=0)) as database:
            database.execute("begin immediate")
        asked.append("once")
        # A label that comes meanwhile is for the next decision.
        desk.label(1, first=20)
        return "" if len(asked) > 1 else "They are probably wrong."

    brain = replace(desk.brain, evidence=EvidenceReader(desk.store, "desk", doubted))
    alert = Incoming("TuneloopAccuracyLow", "desk", "", "", "a", "2026-11-21T10:00:00Z", "worse", firing=True)
    assert str(brain.take(alert).record.reason) == "bad-data"
    assert asked == ["once"]
    brain.tick()
    assert asked == ["once", "once"]
    assert [run.outcome for run in desk.decisions.recent_runs(9)] == ["running"]
