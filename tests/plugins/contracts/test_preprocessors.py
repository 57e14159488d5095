"""Preprocessors among the built-ins pass the contract tests that strangers run."""

from __future__ import annotations

from typing import Any, ClassVar

import pytest
from tests.plugins.contracts.samples import PASSAGE_COLUMNS, PASSAGES, PICTURE_COLUMNS, PICTURES

from tuneloop.api import Columns
from tuneloop.api.testing import (
    PreprocessorContract,
)
from tuneloop.preprocessing import (
    AudioPreprocessor,
    ImagePreprocessor,
    PassagesPreprocessor,
    PromptPreprocessor,
    SpeechToTextPreprocessor,
    TabularPreprocessor,
    TextPreprocessor,
    TextToTextPreprocessor,
    WaveformPreprocessor,
    WordsPreprocessor,
)


class TestTabularPreprocessor(PreprocessorContract):
    plugin = TabularPreprocessor
    columns = Columns({"size": "size", "color": "color"}, target="label")


class TestTabularPreprocessorOfQuantiles(TestTabularPreprocessor):
    options: ClassVar[Any] = {"scale": "quantile"}


@pytest.fixture(scope="module")
def tokenizer() -> str:
    from tokenizers import Tokenizer
    from tokenizers.models import WordPiece
    from tokenizers.pre_tokenizers import Whitespace

    words = ["[UNK]", *"abcdefghijklmnopqrstuvwxyz", *(f"##{c}" for c in "abcdefghijklmnopqrstuvwxyz")]
    made = Tokenizer(WordPiece({word: place for place, word in enumerate(words)}, unk_token="[UNK]"))
    made.pre_tokenizer = Whitespace()
    return made.to_str()


class TestTextPreprocessor(PreprocessorContract):
    plugin = TextPreprocessor

    @pytest.fixture(autouse=True)
    def _tokenizer(self, tokenizer: str, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(type(self), "options", {"tokenizer": tokenizer, "max_length": 16})


class TestPromptPreprocessor(PreprocessorContract):
    plugin = PromptPreprocessor
    columns = Columns({"text": "text", "completion": "label"}, target="label")

    @pytest.fixture(autouse=True)
    def _tokenizer(self, tokenizer: str, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(type(self), "options", {"tokenizer": tokenizer, "max_length": 16, "stop_ids": [0]})


class TestTextToTextPreprocessor(PreprocessorContract):
    plugin = TextToTextPreprocessor
    columns = Columns({"text": "text", "completion": "label"}, target="label")
    options: ClassVar[Any] = {
        "vocabulary": 64,
        "source": {"max_length": 8},
        "target": {"start_ids": [1], "stop_ids": [2]},
    }


class TestWordsPreprocessor(PreprocessorContract):
    plugin = WordsPreprocessor
    columns = Columns({"tokens": "text"}, target="label")

    @pytest.fixture(autouse=True)
    def _tokenizer(self, tokenizer: str, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(type(self), "options", {"tokenizer": tokenizer, "max_length": 16, "overlap": 4})


class TestPassagesPreprocessor(PreprocessorContract):
    plugin = PassagesPreprocessor
    columns = PASSAGE_COLUMNS
    rows = (*PASSAGES, {"q": "Why?", "c": "abcdefgh " * 3, "a": ["a"]})

    @pytest.fixture(autouse=True)
    def _tokenizer(self, tokenizer: str, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(type(self), "options", {"tokenizer": tokenizer, "max_length": 24, "overlap": 4})


class TestAudioPreprocessor(PreprocessorContract):
    plugin = AudioPreprocessor
    options: ClassVar[Any] = {"seconds": 1.0}
    columns = Columns({"audio": "audio"}, target="label")
    rows = tuple(
        {"audio": {"array": [0.0, 0.25 * n, -0.5] * 50, "sampling_rate": rate}, "label": "a"}
        for n, rate in enumerate((8_000, 16_000, 44_100))
    )


class TestSpeechToTextPreprocessor(PreprocessorContract):
    plugin = SpeechToTextPreprocessor
    columns = Columns({"audio": "audio", "completion": "label"}, target="label")
    rows = TestAudioPreprocessor.rows

    @pytest.fixture(autouse=True)
    def _tokenizer(self, tokenizer: str, monkeypatch: pytest.MonkeyPatch) -> None:
        target = {"tokenizer": tokenizer, "start_ids": [1, 2], "stop_ids": [0]}
        monkeypatch.setattr(type(self), "options", {"source": {"seconds": 1.0}, "target": target})


class TestWaveformPreprocessor(PreprocessorContract):
    plugin = WaveformPreprocessor
    options = TestAudioPreprocessor.options
    columns = TestAudioPreprocessor.columns
    rows = TestAudioPreprocessor.rows


class TestImagePreprocessor(PreprocessorContract):
    plugin = ImagePreprocessor
    options: ClassVar[Any] = {"height": 8, "width": 12}
    columns = PICTURE_COLUMNS
    rows = PICTURES
