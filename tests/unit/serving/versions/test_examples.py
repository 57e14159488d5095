"""Golden examples: written and checked in the same way, and compared within a tolerance."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tuneloop.api import ArtifactError
from tuneloop.serving.versions.examples import answer_each, first_difference, read_examples, write_examples


class Neighbourly:
    """A predictor whose answers depend on how many rows share a call, as those of a quantised graph may."""

    def predict(self, rows: list[dict[str, Any]]) -> Any:
        return type("Prediction", (), {"answers": [{"value": row["x"] + len(rows)} for row in rows]})


def test_rows_are_answered_one_by_one() -> None:
    rows = [{"x": 1.0}, {"x": 2.0}]
    assert answer_each(Neighbourly(), rows) == [{"value": 2.0}, {"value": 3.0}]  # type: ignore[arg-type]


def test_examples_come_back_as_written(tmp_path: Path) -> None:
    write_examples(tmp_path, [{"x": 1.0}], [{"value": 2.0}])
    assert read_examples(tmp_path) == ([{"x": 1.0}], [{"value": 2.0}])


@pytest.mark.parametrize("content", [None, "", "{", "[]", "[{}]", "3"])
def test_what_is_no_list_of_examples_says_so(tmp_path: Path, content: str | None) -> None:
    if content is not None:
        (tmp_path / "examples.json").write_text(content)
    with pytest.raises(ArtifactError, match=r"examples\.json"):
        read_examples(tmp_path)


@pytest.mark.parametrize(
    ("found", "said"),
    [
        ({"label": "a", "scores": {"a": 0.5005}}, None),
        ({"label": "a", "scores": {"a": 0.51}}, "answer.scores.a is 0.51, not 0.5"),
        ({"label": "b", "scores": {"a": 0.5}}, "answer.label is 'b', not 'a'"),
        ({"label": "a"}, "answer is {'label': 'a'}"),
        ({"label": "a", "scores": {"a": None}}, "answer.scores.a is None"),
    ],
)
def test_differences_beyond_the_tolerance_are_named(found: dict[str, Any], said: str | None) -> None:
    difference = first_difference({"label": "a", "scores": {"a": 0.5}}, found)
    assert difference is None if said is None else difference is not None and difference.startswith(said)


def test_a_wider_tolerance_forgives_more_but_never_another_label() -> None:
    assert first_difference([{"label": "a", "confidence": 0.5}], [{"label": "a", "confidence": 0.51}], 0.02) is None
    assert first_difference([{"label": "a"}], [{"label": "b"}], 0.02) is not None
