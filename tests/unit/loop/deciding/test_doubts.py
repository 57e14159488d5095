from __future__ import annotations

import random
from typing import Any

import pytest

from tuneloop.loop.deciding.doubts import Known, doubt
from tuneloop.loop.deciding.neighbours import features, neighbours_labels
from tuneloop.monitoring.store import Labelled, Prediction

JOBS = ("clerk", "cook", "pilot")
INCOME = Known(("high", "low"), error=0.05)


def income(row: dict[str, Any], pilots: int) -> str:
    score = row["age"] + 2 * row["hours"] + {"clerk": 0, "cook": -10, "pilot": pilots}[row["job"]]
    return "high" if score > 110 else "low"


def people(seed: int, rows: int, *, pilots: int = 20, flipped: float = 0.0, error: float = 0.05) -> list[Labelled]:
    """Rows whose champion knows the world with `pilots=20`, and errs on some; labels as the world is now."""
    generator = random.Random(seed)
    flip = {"high": "low", "low": "high"}
    found = []
    for number in range(rows):
        row = {
            "age": generator.randint(18, 80),
            "hours": generator.randint(1, 60),
            "job": generator.choice(JOBS),
        }
        answer = income(row, 20)
        answer = flip[answer] if generator.random() < error else answer
        label = income(row, pilots)
        label = flip[label] if generator.random() < flipped else label
        found.append(Labelled(Prediction(str(number), "desk", "1", 0.0, row, {"label": answer}), label, 0.0))
    return found


@pytest.mark.parametrize("rows", [200, 600, 2000])
def test_a_fifth_of_flipped_labels_is_found(rows: int) -> None:
    found = [doubt(people(seed, rows, flipped=0.2), INCOME, 0.1) for seed in range(10)]
    # On 200 rows chance has a say.
    assert sum(map(bool, found)) >= (7 if rows == 200 else 10)
    assert "probably wrong" in next(filter(None, found))


@pytest.mark.parametrize("rows", [60, 200, 600, 2000])
@pytest.mark.parametrize("pilots", [20, -60])
def test_right_labels_are_not_doubted_also_in_a_changed_world(rows: int, pilots: int) -> None:
    assert [doubt(people(seed, rows, pilots=pilots), INCOME, 0.1) for seed in range(10)] == [""] * 10


def test_the_project_says_how_much_is_too_much() -> None:
    rows = people(1, 600, flipped=0.2)
    assert doubt(rows, INCOME, 0.1)
    assert not doubt(rows, INCOME, 0.3)
    assert not doubt(rows, INCOME, 1.0)


def test_strays_are_told_from_new_classes() -> None:
    rows = people(2, 200)
    typos = [Labelled(pair.prediction, f"hihg{n}", 0.0) for n, pair in enumerate(rows[:20])]
    assert "none that the champion knows" in doubt([*typos, *rows[20:]], INCOME, 0.1)
    classes = [Labelled(pair.prediction, "middle", 0.0) for pair in rows[:20]]
    assert not doubt([*classes, *rows[20:]], INCOME, 0.1)


def test_labels_of_values_must_be_numbers() -> None:
    known = Known((), None)
    rows = [Labelled(Prediction(str(n), "desk", "1", 0.0, {"x": n}, {"value": 1.0}), 2.0, 0.0) for n in range(10)]
    assert not doubt(rows, known, 0.1)
    broken = [Labelled(rows[0].prediction, "n/a", 0.0), *rows[1:]]
    assert "'n/a'" in doubt(broken, known, 0.1)
    assert "no finite numbers" in doubt([Labelled(rows[0].prediction, float("nan"), 0.0), *rows], known, 0.1)


def test_texts_are_near_by_what_they_share() -> None:
    texts = ["the cat sat on the mat", "the cats sat", "il gatto sta qui", "il gatto dorme qui"] * 10
    labels = ["en", "en", "it", "it"] * 10
    numbered = [{"text": f"{text} {place}"} for place, text in enumerate(texts)]
    assert neighbours_labels(numbered, labels) == labels


def test_a_row_has_no_say_in_its_own_label() -> None:
    rows = [{"x": 0.0}] * 20 + [{"x": 1.0}] * 20
    labels = ["a"] * 20 + ["b"] * 20
    labels[0] = "b"
    assert neighbours_labels(rows, labels)[0] == "a"


def test_missing_values_have_a_place() -> None:
    points = features([{"x": None, "job": "a", "note": None}, {"x": 2.0, "job": None}, {"x": 1, "job": "b"}])
    assert points.shape[0] == 3
    assert (abs(points) <= 1).all()


def test_labels_that_need_not_come_are_not_missed() -> None:
    assert doubt([], INCOME, 0.1) == ""
    spans = [Labelled(Prediction("1", "desk", "1", 0.0, {"text": "a"}, {"tags": ["O"]}), ["O"], 0.0)]
    assert doubt(spans, INCOME, 0.1) == ""
