"""One task in two forms: that of the base model decides what columns are read, and what can be compared."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tuneloop.api import ConfigError
from tuneloop.config import Project, parse_project
from tuneloop.plugins import PluginManager

DICTATION = """name: dictation
task: automatic-speech-recognition
data: {source: audio-transcripts, path: rows.jsonl, columns: {audio: clip, label: said}}
model: MODEL
tune: {strategy: full}
"""


@pytest.fixture(scope="module")
def parse() -> Callable[[str], Project]:
    """Read a project with this model, with the built-in plugins."""
    plugins = PluginManager().load()
    return lambda model: parse_project(DICTATION.replace("MODEL", model).encode(), Path("tuneloop.yaml"), plugins)


def test_the_right_answer_is_an_input_of_a_model_that_writes(parse: Callable[[str], Project]) -> None:
    by_frames = parse("{base: ctc, checkpoint: models/small}")
    assert dict(by_frames.data.columns.inputs) == {"audio": "clip"}
    written = parse("{base: speech-seq2seq, checkpoint: models/small}")
    assert dict(written.data.columns.inputs) == {"audio": "clip", "completion": "said"}
    assert by_frames.evaluate.metrics == written.evaluate.metrics == ("wer", "cer")


def test_candidates_of_two_forms_cannot_be_compared(parse: Callable[[str], Project]) -> None:
    one, other = "{base: ctc, checkpoint: models/small}", "{base: speech-seq2seq, checkpoint: models/small}"
    with pytest.raises(ConfigError, match=r"model\.candidates: these base models learn the task in different forms"):
        parse(f"{{candidates: [{one}, {other}]}}")
    same = parse(f"{{candidates: [{one}, {one.replace('small', 'large')}]}}")
    assert same.candidates is not None
    assert len(same.candidates.models) == 2
