"""Spoken digits of known speakers, then of a new one: when the change is noticed, by windows of ninety sounds."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from tests.drifts.replay import Table, data, first_alarms, select
from tests.drifts.tuned import columns, read_signals, tune

pytest.importorskip("torch")
pytestmark = pytest.mark.slow

WINDOW = 90
"""Sounds: the archive has 110 of each speaker. A project asks for it by `monitor: {min_rows: 90}`."""
NEW = ("theo", "yweweler")


@pytest.fixture(scope="module")
def signals(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Table]:
    """Signals of a model that was tuned to tell digits of four speakers: of more of theirs, and of two others'."""
    from tuneloop.preprocessing import AudioPreprocessor
    from tuneloop.tasks import AudioClassification
    from tuneloop_files import Npz
    from tuneloop_transformers import TransformersAudio

    checkpoint = data("../models/whisper-tiny-en/config.json").parent
    options = Npz.Options(
        path=str(data("fsdd/fsdd_subset.npz")),
        sounds={"samples": "audio", "offsets": "offsets", "rate": "sample_rate"},
        names={"speaker": "speakers"},
    )
    table = Npz(options).load(Path())
    table = table.select(np.random.default_rng(0).permutation(len(table)))
    sounds, speakers = table["audio"][:], np.array(table["speaker"][:])
    task = AudioClassification([str(digit) for digit in range(10)])
    base = TransformersAudio(TransformersAudio.Options(checkpoint=str(checkpoint), seconds=3))
    audio = AudioPreprocessor.fit(base.preprocessor(Path()).options, columns("audio"), table)
    known = np.flatnonzero(~np.isin(speakers, NEW))
    labels = [str(table["digit"][int(row)]) for row in known[:160]]
    rows = [{"audio": sounds[int(row)]} for row in known]
    predictor = tune(base, task, audio, rows[:160], labels, tmp_path_factory.mktemp("fsdd"))
    held = read_signals(predictor, rows[160:])
    found: dict[str, Table] = {
        "reference": select(held, np.arange(140)),
        "known": select(held, np.arange(140, len(rows) - 160)),
    }
    for name in NEW:
        found[name] = read_signals(predictor, [{"audio": sounds[int(row)]} for row in np.flatnonzero(speakers == name)])
    return found


def test_more_of_the_known_speakers_is_silent(signals: dict[str, Table]) -> None:
    assert first_alarms(signals["reference"], signals["known"], WINDOW) == {}


@pytest.mark.parametrize("name", NEW)
def test_a_new_speaker_is_noticed_within_a_window(signals: dict[str, Table], name: str) -> None:
    stream = {
        label: np.concatenate([values[:WINDOW], signals[name][label]]) for label, values in signals["known"].items()
    }
    found = first_alarms(signals["reference"], stream, WINDOW)
    assert found, "no signal speaks"
    assert WINDOW < min(found.values()) <= 2 * WINDOW
