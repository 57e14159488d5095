"""Tasks among the built-ins pass the contract tests that strangers run."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
from tests.plugins.contracts.samples import PASSAGE_COLUMNS, PASSAGES

from tuneloop.api import Columns, Passage
from tuneloop.api.testing import (
    TaskContract,
)
from tuneloop.tasks import (
    AudioClassification,
    AutomaticSpeechRecognition,
    ImageClassification,
    MultiLabelClassification,
    QuestionAnswering,
    QuestionAnsweringOrNone,
    Summarization,
    TabularClassification,
    TabularRegression,
    TextClassification,
    TextGeneration,
    TextRegression,
    TokenClassification,
    Translation,
)
from tuneloop.tasks.written_speech import WrittenSpeech


class TestTextClassification(TaskContract):
    plugin = TextClassification


class TestAudioClassification(TaskContract):
    plugin = AudioClassification


class TestAutomaticSpeechRecognition(TaskContract):
    plugin = AutomaticSpeechRecognition


class TestWrittenSpeech(TaskContract):
    plugin = WrittenSpeech
    installed = False


class TestTokenClassification(TaskContract):
    plugin = TokenClassification
    columns = Columns({"tokens": "tokens"}, target="tags")
    rows = (
        {"tokens": ["In", "New", "York"], "tags": ["O", "B-place", "I-place"]},
        {"tokens": ["No"], "tags": ["O"]},
    )


class TestMultiLabelClassification(TaskContract):
    plugin = MultiLabelClassification


class TestTextGeneration(TaskContract):
    plugin = TextGeneration


class TestTranslation(TaskContract):
    plugin = Translation


class TestSummarization(TaskContract):
    plugin = Summarization


class TestTextRegression(TaskContract):
    plugin = TextRegression


class TestImageClassification(TaskContract):
    plugin = ImageClassification


class TestQuestionAnswering(TaskContract):
    plugin = QuestionAnswering
    columns = PASSAGE_COLUMNS
    rows = PASSAGES

    def checked(self) -> list[dict[str, Any]]:
        rows = []
        for row in self.rows:
            passage = Passage(row["c"])
            passage.offsets = np.array([match.span() for match in re.finditer(r"\w+", passage)])
            rows.append({"q": row["q"], "c": passage})
        return rows


class TestQuestionAnsweringOrNone(TestQuestionAnswering):
    plugin = QuestionAnsweringOrNone
    rows = (*PASSAGES, {"q": "Who sings?", "c": "A cat sleeps here", "a": []})


class TestTabularClassification(TaskContract):
    plugin = TabularClassification


class TestTabularRegression(TaskContract):
    plugin = TabularRegression
