"""The built-in tasks, registered like a stranger's."""

from __future__ import annotations

from tuneloop.api import Task, hookimpl
from tuneloop.tasks.audio_classification import AudioClassification
from tuneloop.tasks.image_classification import ImageClassification
from tuneloop.tasks.multi_label import MultiLabelClassification
from tuneloop.tasks.question_answering import QuestionAnswering
from tuneloop.tasks.tabular_classification import TabularClassification
from tuneloop.tasks.tabular_regression import TabularRegression
from tuneloop.tasks.text_classification import TextClassification
from tuneloop.tasks.text_generation import TextGeneration
from tuneloop.tasks.text_regression import TextRegression
from tuneloop.tasks.token_classification import TokenClassification

TUNELOOP_API = ">=1,<2"


@hookimpl
def tuneloop_tasks() -> list[type[Task]]:
    """The tasks of this folder."""
    return [
        TextClassification,
        MultiLabelClassification,
        TextRegression,
        TextGeneration,
        TokenClassification,
        QuestionAnswering,
        ImageClassification,
        AudioClassification,
        TabularClassification,
        TabularRegression,
    ]
