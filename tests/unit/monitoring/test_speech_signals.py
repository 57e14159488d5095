"""What a transcript says: how much was said, and how fast."""

import numpy as np
import pytest
from tests.unit.monitoring.test_sound_signals import COLUMNS, clip

from tuneloop.api import SCORED, Column, SignalBatch, Tensor
from tuneloop.monitoring.signals import AnswerClass, create_signals, tuneloop_signals
from tuneloop.monitoring.speech_signals import SpeechRate, TranscriptLength

NAMES = ("<blank>", "a", "b")


def test_length_and_rate_of_what_is_said():
    rows = (clip([0.0] * 4_000), clip([0.0] * 8_000), {"audio": None})
    batch = SignalBatch(rows, (), {}, ({"text": "abab"}, {"text": ""}, {"text": "a"}))
    (length,), (rate,) = (cls.create(COLUMNS, (), NAMES, 0) for cls in (TranscriptLength, SpeechRate))
    assert length.read(batch).tolist() == [4.0, 0.0, 1.0]
    found = rate.read(batch)
    assert found[:2].tolist() == [8.0, 0.0]
    assert np.isnan(found[2])


@pytest.mark.parametrize(
    ("columns", "tensors", "names", "count"),
    [
        (COLUMNS, (), NAMES, 1),
        (COLUMNS, (Tensor(SCORED, "int64", ("batch", "length")),), ("likelihood",), 1),
        (COLUMNS, (), ("dog", "cat"), 0),
        ((Column("text", "prompt"),), (Tensor(SCORED, "int64", ("batch", "length")),), ("likelihood",), 0),
    ],
)
def test_only_models_that_write_down_speech_have_them(columns, tensors, names, count):
    assert len(SpeechRate.create(columns, tensors, names, 0)) == count


def test_characters_are_no_classes():
    found = create_signals(tuneloop_signals(), COLUMNS, (), NAMES, 0)
    assert {"confidence", "entropy", "sound-seconds:audio", "transcript_length"} <= {one.label for one in found}
    assert AnswerClass.create(COLUMNS, (), NAMES, 0) == []
