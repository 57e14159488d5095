"""What a sound says by itself: length, level, rate."""

import numpy as np
import pytest

from tuneloop.api import Column, SignalBatch
from tuneloop.monitoring.sound_signals import SoundLevel, SoundRate, SoundSeconds
from tuneloop.preprocessing.clip import Clip

COLUMNS = (Column("audio", "audio"),)


def read(cls, *rows):
    (signal,) = cls.create(COLUMNS, (), ("a", "b"), 0)
    return signal.read(SignalBatch(rows, (), {}, ({},) * len(rows))).tolist()


def clip(samples, rate=8_000):
    return {"audio": Clip.read({"array": samples, "sampling_rate": rate}, 5.0)}


def test_length_level_and_rate():
    tone = (0.5 * np.sin(2 * np.pi * 200 * np.arange(4_000) / 8_000)).tolist()
    rows = (clip(tone), clip([0.0] * 160, 16_000))
    assert read(SoundSeconds, *rows) == [0.5, 0.01]
    assert read(SoundRate, *rows) == [8_000.0, 16_000.0]
    level, silence = read(SoundLevel, *rows)
    # A sine of half of full scale: 20 log10(0.5 / sqrt(2)).
    assert level == pytest.approx(-9.03, abs=0.01)
    assert silence == pytest.approx(-120.0)


def test_rows_without_a_sound_are_missing_and_other_columns_have_no_signal():
    assert np.isnan(read(SoundLevel, {"audio": None}, {})).all()
    assert SoundLevel.create((Column("text", "text"),), (), ("a", "b"), 0) == []
