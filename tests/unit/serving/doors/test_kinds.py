"""Columns of words and sounds, and labels that are lists, at the typed door."""

import pydantic
import pytest

from tuneloop.api import Column
from tuneloop.preprocessing.clip import Clip
from tuneloop.serving.doors.metadata import COLUMN_TYPES
from tuneloop.serving.doors.openapi_tensors import infer_example
from tuneloop.serving.doors.schemas import FeedbackItem, make_schemas
from tuneloop.tasks import AudioClassification, TokenClassification


def test_words_are_a_text_or_a_list():
    task = TokenClassification(("O", "B-a"))
    columns = (Column("tokens", "words"),)
    schemas = make_schemas(columns, task, [{"tokens": ["a", "b"]}], [], "names", "1")
    for value in ("a b", ["a", "b"]):
        schemas.predict_request.model_validate({"rows": [{"tokens": value}]})
    for value in ("", " ", [], [""], ["a", None], 3, None, ["a\x00"]):
        with pytest.raises(pydantic.ValidationError):
            schemas.predict_request.model_validate({"rows": [{"tokens": value}]})
    assert schemas.predict_request.model_json_schema()["example"] == {"rows": [{"tokens": ["a", "b"]}]}
    assert "a b" in str(infer_example(columns, [{"tokens": ["a", "b"]}]))


def test_sounds_are_base64_or_samples():
    golden = [{"audio": "A" * 1_000_000}]
    schemas = make_schemas((Column("audio", "audio"),), AudioClassification(("a", "b")), golden, [], "digits", "1")
    (shown,) = schemas.rows
    assert len(Clip.read(shown["audio"], 1.0).sound.samples) == 2
    assert schemas.predict_request.model_json_schema()["example"] == {"rows": [shown]}
    for value in ("UklGRg==", {"array": [0.0, -1.0], "sampling_rate": 8000}):
        schemas.predict_request.model_validate({"rows": [{"audio": value}]})
    for value in (
        "",
        None,
        {"array": [], "sampling_rate": 8000},
        {"array": [2.0], "sampling_rate": 8000},
        {"array": [0.0]},
    ):
        with pytest.raises(pydantic.ValidationError):
            schemas.predict_request.model_validate({"rows": [{"audio": value}]})


def test_labels_may_be_lists_of_tags():
    assert FeedbackItem(id="a", label=["O", "B-x"]).label == ["O", "B-x"]
    for label in ([1], [["O"]], {"a": 1}, None, ["O"] * 4001):
        with pytest.raises(pydantic.ValidationError):
            FeedbackItem.model_validate({"id": "a", "label": label})


def test_every_kind_of_column_has_a_type_at_the_raw_door():
    assert set(COLUMN_TYPES) == {"text", "number", "category", "words", "audio", "image", "prompt"}
