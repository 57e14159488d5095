"""`speech-to-text`: the spectrogram of `audio`, and answers between the tokens that begin and end them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tuneloop.api import SCORED, TARGET_IDS, Columns, RequestError
from tuneloop.preprocessing import AudioPreprocessor, SpeechToTextPreprocessor

COLUMNS = Columns({"audio": "sound", "completion": "said"}, target="said")
SOUND = {"array": (0.3 * np.sin(np.arange(900) / 9)).tolist(), "sampling_rate": 8_000}


@pytest.fixture(scope="module")
def made() -> SpeechToTextPreprocessor:
    from tokenizers import Tokenizer
    from tokenizers.models import BPE
    from tokenizers.pre_tokenizers import ByteLevel

    letters = sorted(ByteLevel.alphabet())
    plain = Tokenizer(BPE({letter: place for place, letter in enumerate(["<end>", "<start>", "<go>", *letters])}, []))
    plain.pre_tokenizer = ByteLevel(add_prefix_space=False)
    target: dict[str, Any] = {"tokenizer": plain.to_str(), "start_ids": [1, 2], "stop_ids": [0], "max_length": 9}
    options = {"source": {"seconds": 0.2, "bands": 20}, "target": target}
    return SpeechToTextPreprocessor.fit(options, COLUMNS, None)  # type: ignore[arg-type]


def test_the_sound_is_read_as_by_audio(made: SpeechToTextPreprocessor) -> None:
    audio = AudioPreprocessor.fit({"seconds": 0.2, "bands": 20}, COLUMNS, None)  # type: ignore[arg-type]
    (right,) = audio.encode(audio.check([{"sound": SOUND}]))
    found = made.source(made.check([{"sound": SOUND}])[0])
    assert set(found) == {"input_features"}
    np.testing.assert_array_equal(found["input_features"], right.inputs["input_features"])


def test_rows_with_and_without_the_right_answer(made: SpeechToTextPreprocessor) -> None:
    rows = made.check([{"sound": SOUND, "said": "ab"}, {"sound": SOUND}, {"sound": SOUND, "said": "abcdefghijkl"}])
    by_row = {row: group for group in made.encode(rows) for row in group.rows}
    assert sorted(by_row) == [0, 1, 2]
    assert by_row[1].inputs[TARGET_IDS].tolist() == [[1, 2]]
    short = by_row[0].inputs
    assert made.tokenizer.decode(short[TARGET_IDS][0, 2:-1].tolist()).replace(" ", "") == "\u0120ab"
    assert short[TARGET_IDS][0, -1] == 0
    assert short[SCORED].tolist() == [[0, 0, 1, 1, 1, 1]]
    assert by_row[2].inputs[TARGET_IDS].shape == (1, 9), "longer answers are cut"
    assert made.requests(rows)[0] == {"sound": rows[0]["sound"]}


def test_saved_and_loaded(made: SpeechToTextPreprocessor, tmp_path: Path) -> None:
    made.save(tmp_path)
    again = SpeechToTextPreprocessor.load(tmp_path)
    assert again.settings == made.settings
    assert again.tensors == made.tensors


def test_what_is_no_sound_or_too_long_is_refused(made: SpeechToTextPreprocessor) -> None:
    for sound, said in (
        ("bm8=", r"is no (sound|WAV) file"),
        ({"array": [0.0] * 4_000, "sampling_rate": 8_000}, "at most 0.2 s"),
    ):
        with pytest.raises(RequestError, match=said):
            made.check([{"sound": sound}])
    with pytest.raises(RequestError, match="must be a text"):
        made.check([{"sound": SOUND, "said": None}])
