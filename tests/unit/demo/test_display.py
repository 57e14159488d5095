"""What the demo shows: a live line on a terminal, plain lines elsewhere, and one table at the end."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from rich.console import Console

from tuneloop.demo.corpus import Message
from tuneloop.demo.display import Display
from tuneloop.demo.outcome import Outcome, Variant, accuracy, latency, show
from tuneloop.demo.traffic import Reply


def replies(right: int, wrong: int, version: str) -> list[Reply]:
    message = Message("1", "text", "english")
    labels = ["english"] * right + ["dutch"] * wrong
    return [Reply(message, str(i), label, version, (i + 1) / 1000, 0.0) for i, label in enumerate(labels)]


@pytest.mark.parametrize("terminal", [True, False])
def test_a_stage_shows_its_title_and_outcome(terminal: bool) -> None:
    stream = io.StringIO()
    display = Display(Console(file=stream, force_terminal=terminal, width=100), stages=2)
    with display.stage("tune"):
        display.say("epoch 1")
        display.done("champion")
    said = stream.getvalue()
    assert "1/2 tune" in said
    assert "champion" in said


def test_a_failed_stage_is_marked_and_the_error_goes_on() -> None:
    stream = io.StringIO()
    display = Display(Console(file=stream, width=100), stages=1)
    with pytest.raises(ValueError, match="broken"), display.stage("tune"):
        raise ValueError("broken")
    assert "✗ 1/1 tune" in stream.getvalue()


def test_accuracy_and_latency_are_those_of_the_replies() -> None:
    some = replies(3, 1, "1")
    assert accuracy(some) == 0.75
    assert latency(some) == pytest.approx(2.5)
    assert latency(some, 0.99) == pytest.approx(4.0)


def test_the_table_holds_every_figure() -> None:
    stream = io.StringIO()
    outcome = Outcome(
        known_before=replies(9, 1, "1"),
        new_before=replies(0, 10, "1"),
        known_after=replies(10, 0, "2"),
        new_after=replies(9, 1, "2"),
        alert="TuneloopSignalDrift of confidence",
        to_alert=17.2,
        to_live=114.0,
        sent=5619,
        labels=3865,
        failures=("/predict: 500",),
        variants=(Variant("float32", 90_300_000, served=False), Variant("int8-dynamic", 22_700_000, served=True)),
        seconds=293,
        peak_bytes=3 * 2**30,
        report=Path("report.html"),
        bento="bento",
        folder=Path("desk"),
        watched_by="the embedded watcher",
        pages=(),
    )
    show(outcome, Console(file=stream, width=160))
    said = stream.getvalue()
    for figure in ("0.900", "1.000", "0.000", "17 s", "114 s", "5619 / 1", "22.7 MB (served)", "90.3 MB", "3.0 GiB"):
        assert figure in said
    assert "failed: /predict: 500" in said
