"""The built-in tasks, registered like a stranger's."""

from __future__ import annotations

from tuneloop.api import Task, hookimpl
from tuneloop.tasks.audio_classification import AudioClassification
from tuneloop.tasks.image_classification import ImageClassification
from tuneloop.tasks.multi_label import MultiLabelClassification
from tuneloop.tasks.question_answering import QuestionAnswering
from tuneloop.tasks.question_answering_or_none import QuestionAnsweringOrNone
from tuneloop.tasks.speech_recognition import AutomaticSpeechRecognition
from tuneloop.tasks.summarization import Summarization
from tuneloop.tasks.tabular_classification import TabularClassification
from tuneloop.tasks.tabular_regression import TabularRegression
from tuneloop.tasks.text_classification import TextClassification
from tuneloop.tasks.text_generation import TextGeneration
from tuneloop.tasks.text_regression import TextRegression
from tuneloop.tasks.token_classification import TokenClassification
from tuneloop.tasks.translation import Translation

TUNELOOP_API = ">=1,<2"


@hookimpl
def tuneloop_tasks() -> list[type[Task]]:
    """The tasks of this folder."""
    return [
        TextClassification,
        MultiLabelClassification,
        TextRegression,
        TextGeneration,
        Translation,
        Summarization,
        TokenClassification,
        QuestionAnswering,
        QuestionAnsweringOrNone,
        ImageClassification,
        AudioClassification,
        AutomaticSpeechRecognition,
        TabularClassification,
        TabularRegression,
    ]
