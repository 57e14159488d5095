"""`audio`: requests with files or samples, of any rate, to one size; what is no sound is refused."""

import base64
import json

import numpy as np
import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tuneloop.api import Columns, RequestError
from tuneloop.preprocessing import AudioPreprocessor
from tuneloop.preprocessing.clip import Clip

MADE = AudioPreprocessor.fit({"seconds": 1.0}, Columns({"audio": "sound"}, target="label"), None)


def encode(value):
    (group,) = MADE.encode(MADE.check([{"sound": value}]))
    return {name: array[0] for name, array in group.inputs.items()}


def test_shapes_and_what_is_heard(tone, packed):
    inputs = encode(packed(tone(0.5)))
    assert inputs["input_features"].shape == (80, 100)
    assert inputs["heard"].tolist() == [1.0] * 25 + [0.0] * 25


def test_a_file_and_its_samples_are_encoded_alike(tone, packed):
    samples = tone(0.25)
    first = encode(packed(samples))
    second = encode({"array": samples.tolist(), "sampling_rate": 16_000})
    assert all(np.array_equal(first[name], second[name]) for name in first)


def test_other_rates_sound_nearly_the_same(tone, packed):
    first, second = (encode(packed(tone(0.5, rate, seed=1), rate))["input_features"] for rate in (16_000, 8_000))
    # Noise above 4 kHz is gone; the tone is where it was.
    assert first[:, 5:45].mean(axis=1).argmax() == second[:, 5:45].mean(axis=1).argmax()


def test_checked_rows_are_texts_that_know_their_sound(tone):
    (row,) = MADE.check([{"sound": {"array": tone(0.1).tolist(), "sampling_rate": 16_000}}])
    clip = row["sound"]
    assert isinstance(clip, Clip)
    assert json.loads(json.dumps(row)) == orjson.loads(orjson.dumps(row)) == {"sound": str(clip)}
    (again,) = MADE.check([{"sound": str(clip)}])
    assert np.array_equal(again["sound"].sound.samples, clip.sound.samples)
    assert MADE.check([row]) == [row]


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (None, "must be base64"),
        (3, "must be base64"),
        ("", "no sound"),
        ("no base64!", "not base64"),
        (base64.b64encode(b"RIFFxxxxWAVE").decode(), "without samples"),
        (base64.b64encode(b"hello").decode(), "no sound file"),
        ({"array": [0.0] * 8001, "sampling_rate": 8000}, "1.00 s long; at most 1 s"),
        ({"array": [0.0], "sampling_rate": 8000.5}, "whole sampling_rate"),
        ({"array": [0.0], "sampling_rate": 10}, "whole sampling_rate"),
        ({"array": [], "sampling_rate": 8000}, "array of samples"),
        ({"array": [2.0], "sampling_rate": 8000}, "from -1 to 1"),
        ({"array": [10**400], "sampling_rate": 8000}, "from -1 to 1"),
        ({"array": [True], "sampling_rate": 8000}, "no number"),
        ({"array": [0.0]}, "and nothing else"),
    ],
)
def test_what_is_no_sound_is_refused(value, said):
    with pytest.raises(RequestError, match=said) as refused:
        MADE.check([{"sound": value}])
    assert refused.value.field == "sound"


@settings(max_examples=100, deadline=None)
@given(st.lists(st.floats(-1, 1, width=32), min_size=1, max_size=400), st.integers(2_000, 50_000))
def test_any_samples_become_finite_features(samples, rate):
    try:
        inputs = encode({"array": samples, "sampling_rate": rate})
    except RequestError:
        return
    assert np.isfinite(inputs["input_features"]).all()
    assert inputs["heard"].any()
