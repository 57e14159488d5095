"""Labels that the other rows contradict: flipped ones are found, clean ones are left alone, odd rows are borne."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import pytest

from tuneloop.pipeline.findings.suspects import MOST_ROWS, label_errors, table_features, text_features

pytest.importorskip("cleanlab")

WORDS = {
    "refund": ["money", "back", "charge", "card", "twice", "paid", "bank", "refund", "wrong", "amount"],
    "delivery": ["parcel", "late", "driver", "street", "box", "arrived", "broken", "truck", "door"],
}
COMMON = ["the", "my", "and", "is", "it", "was", "please", "help", "a", "to", "you", "not"]


def messages(count: int) -> list[dict[str, Any]]:
    generator = random.Random(1)
    found = []
    for number in range(count):
        label = list(WORDS)[number % 2]
        said = generator.choices(WORDS[label], k=5) + generator.choices(COMMON, k=5)
        found.append({"text": " ".join(generator.sample(said, 10)), "label": label})
    return found


def people(count: int) -> list[dict[str, Any]]:
    generator = random.Random(1)
    found = []
    for _ in range(count):
        hours, job = generator.uniform(0, 60), generator.choice(["clerk", "pilot"])
        label = "high" if hours + 20 * (job == "pilot") > 40 else "low"
        found.append({"hours": hours if generator.random() > 0.02 else None, "job": job, "label": label})
    return found


def flipped(rows: list[dict[str, Any]], places: list[int]) -> list[dict[str, Any]]:
    first, second = sorted({row["label"] for row in rows})
    changed = [dict(row) for row in rows]
    for place in places:
        changed[place]["label"] = second if rows[place]["label"] == first else first
    return changed


WRONG = [7, 100, 203, 311]


@pytest.mark.parametrize(("rows", "texts"), [(messages(400), True), (people(400), False)], ids=["texts", "table"])
def test_flipped_labels_are_shown_first(rows: list[dict[str, Any]], texts: bool) -> None:
    names = [name for name in rows[0] if name != "label"]
    (found,) = label_errors(flipped(rows, WRONG), names, "label", texts=texts)
    assert found["name"] == "label errors"
    assert len(set(found["rows"]) & set(WRONG)) >= 3
    wrong = flipped(rows, WRONG)[found["rows"][0]]["label"]
    other = ({row["label"] for row in rows} - {wrong}).pop()
    assert f"row {found['rows'][0]} is {wrong!r}, rather {other!r}" in found["text"]


def test_clean_rows_have_no_finding() -> None:
    assert label_errors(messages(400), ["text"], "label", texts=True) == []


def test_of_many_rows_some_are_looked_at_evenly() -> None:
    rows = sorted(messages(MOST_ROWS + 1001), key=lambda row: str(row["label"]))
    places = np.unique(np.linspace(0, len(rows) - 1, MOST_ROWS).astype(int)).tolist()
    wrong = places[10:4000:400]
    (found,) = label_errors(flipped(rows, wrong), ["text"], "label", texts=True)
    assert set(found["rows"]) <= set(wrong)
    assert f" labels of {MOST_ROWS} rows that were looked at (0." in found["text"]


@pytest.mark.parametrize(
    ("rows", "texts"),
    [
        (messages(50), True),
        ([{"text": "same", "label": str(i % 2)} for i in range(200)], True),
        ([{"text": f"message number {i}", "label": str(i % 2)} for i in range(400)], True),
        ([{"text": f"w{i}", "label": str(i % 2)} for i in range(200)], True),
        ([{"text": None, "label": str(i % 2)} for i in range(200)], True),
        ([{"text": "a b c", "label": None} for i in range(200)], True),
        ([{"x": 1.0, "label": str(i % 2)} for i in range(200)], False),
        ([{"x": None, "label": str(i % 2)} for i in range(200)], False),
        ([{"x": float("nan"), "y": float("inf"), "label": i % 2} for i in range(200)], False),
    ],
)
def test_where_nothing_can_be_learned_nothing_is_found(rows: list[dict[str, Any]], texts: bool) -> None:
    assert label_errors(rows, [name for name in rows[0] if name != "label"], "label", texts=texts) == []


def test_features_have_a_row_each() -> None:
    made = text_features(messages(120), ["text"])
    assert made is not None
    assert made.shape[0] == 120
    assert 1 <= made.shape[1] <= 30
    made = table_features(people(120), ["hours", "job"])
    assert made is not None
    # The hours, that they are missing, and two jobs.
    assert made.shape == (120, 4)
    assert np.isfinite(made).all()
