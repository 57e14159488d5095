"""More training sounds from those there are."""

import base64
import io
from typing import Any, ClassVar

import numpy as np
import pytest
import soundfile
from datasets import Dataset

from tuneloop.api import DataError
from tuneloop.api.testing import TransformContract
from tuneloop_audio import AudioAugment

RATE = 8000


def sound(hertz=440.0, samples=4000, peak=0.5):
    stream = io.BytesIO()
    wave = peak * np.sin(2 * np.pi * hertz * np.arange(samples) / RATE)
    soundfile.write(stream, wave, RATE, format="WAV", subtype="FLOAT")
    return base64.b64encode(stream.getvalue()).decode()


def heard(value):
    samples, rate = soundfile.read(io.BytesIO(base64.b64decode(value)), dtype="float32")
    assert rate == RATE
    return samples


def made_of(value, **options):
    rows = Dataset.from_dict({"audio": [value], "label": ["a"]})
    quiet = {"noise": None, "shift": 0, "speed": 0}
    return AudioAugment(AudioAugment.Options(**{**quiet, **options})).apply(rows)


class TestAudioAugment(TransformContract):
    plugin = AudioAugment
    options: ClassVar[Any] = {"copies": 2}
    rows = ({"audio": sound(), "label": "a"}, {"audio": sound(220.0), "label": "b"})


def test_noise_is_as_far_below_as_asked():
    before = heard(sound())
    powers = []
    for seed in range(8):
        noise = heard(made_of(sound(), noise=20, seed=seed)["audio"][1]) - before
        powers.append(10 * np.log10(np.mean(before**2) / np.mean(noise**2)))
    assert all(-0.5 < power < 20.5 for power in powers)
    assert np.ptp(powers) > 3


def test_a_moved_sound_has_silence_where_it_was():
    before = heard(sound())
    after = [heard(made_of(sound(), shift=0.2, seed=seed)["audio"][1]) for seed in range(8)]
    for samples in after:
        assert len(samples) == len(before)
        by = next(by for by in range(-800, 801) if np.array_equal(moved(before, by), samples))
        assert by
    assert len({samples.tobytes() for samples in after}) > 4


def moved(samples, by):
    out = np.zeros_like(samples)
    if by > 0:
        out[by:] = samples[:-by]
    elif by < 0:
        out[:by] = samples[-by:]
    else:
        out[:] = samples
    return out


def test_speed_changes_length_and_pitch_together():
    for seed in range(6):
        samples = heard(made_of(sound(), speed=0.3, seed=seed)["audio"][1])
        factor = 4000 / len(samples)
        pitch = np.abs(np.fft.rfft(samples * np.hanning(len(samples)))).argmax() * RATE / len(samples)
        assert 0.69 < factor < 1.44
        assert pitch == pytest.approx(440 * factor, rel=0.02)


def test_nothing_is_louder_than_full_scale():
    assert np.abs(heard(made_of(sound(peak=0.99), noise=-10)["audio"][1])).max() <= 1


def test_copies_differ_and_are_the_same_again():
    rows = made_of(sound(), noise=20, shift=0.1, speed=0.1, copies=3)
    assert len(set(rows["audio"])) == 4
    assert rows["label"][:] == ["a"] * 4
    assert rows["audio"][:] == made_of(sound(), noise=20, shift=0.1, speed=0.1, copies=3)["audio"][:]
    assert made_of(sound(), noise=20, seed=1)["audio"][1] != made_of(sound(), noise=20)["audio"][1]


def test_silence_stays_silent_and_missing_stays_missing():
    assert not heard(made_of(sound(peak=0.0), noise=20)["audio"][1]).any()
    assert made_of(None, noise=20)["audio"][:] == [None, None]


@pytest.mark.parametrize("value", ["no base64!", base64.b64encode(b"no sound").decode()])
def test_what_is_no_sound_is_named(value):
    with pytest.raises(DataError, match="row 0 of column 'audio' is no sound"):
        made_of(value)


def test_an_absent_column_is_named():
    with pytest.raises(DataError, match="no column 'voice'; there are: audio, label"):
        made_of(sound(), column="voice")
