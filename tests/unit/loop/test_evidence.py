from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tuneloop.api import RunError
from tuneloop.loop.evidence import EvidenceReader, fault
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


def test_without_a_store_there_is_no_evidence(tmp_path: Path) -> None:
    reader = EvidenceReader(None, "desk")
    assert reader.read(0.0).labelled == 0
    with pytest.raises(RunError, match="no prediction store"):
        reader.snapshot(tmp_path / "x.jsonl")
