"""A served model changes requests as its training rows were changed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tuneloop.api import RequestError
from tuneloop.artifact import Artifact, Part, seal
from tuneloop.serving.loader import VersionRefusedError, load_version


@pytest.fixture
def served(artifacts: Callable[..., Artifact]) -> Callable[..., Any]:
    """The predictor of an artifact with these transforms."""

    def make(*transforms: Part) -> Any:
        made = artifacts(1)
        seal(made.folder, made.manifest.model_copy(update={"transforms": transforms}))
        return load_version(made.folder, "1").predictor

    return make


CLEAN = Part(name="text-clean", state={"columns": ["job"]})
REDACT = Part(name="text-redact", state={"columns": ["job"], "mark": "pilot"})
ROW = {"age": 30.0, "hours per week": 40.0}


def test_requests_are_cleaned_and_so_is_what_is_stored(served: Callable[..., Any]) -> None:
    plain, cleaning = served(), served(CLEAN, REDACT)
    clean = {**ROW, "job": "pilot"}
    raw = [{**ROW, "job": " <b>pilot</b> "}, {**ROW, "job": "me@mail.example.org"}, {**ROW, "job": None}]
    found = cleaning.predict(raw)
    assert list(found.rows) == plain.preprocessor.check([clean, clean, {**ROW, "job": None}])
    assert found.answers == plain.predict([clean, clean, {**ROW, "job": None}]).answers
    assert plain.predict(raw[:1]).answers != plain.predict([clean]).answers


def test_what_is_no_row_is_refused_as_before(served: Callable[..., Any]) -> None:
    with pytest.raises(RequestError, match=r"row 0, field 'age'"):
        served(CLEAN).predict([{**ROW, "age": "old", "job": "pilot"}])


def test_a_transform_that_is_not_there_is_a_version_that_cannot_serve(served: Callable[..., Any]) -> None:
    with pytest.raises(VersionRefusedError, match="text-wash") as error:
        served(Part(name="text-wash"))
    assert error.value.reason == "unloadable"
    with pytest.raises(VersionRefusedError, match="text-clean"):
        served(Part(name="text-clean", state={"columns": []}))
