from __future__ import annotations

import random

from tuneloop.pipeline.findings.near import near_copies

LONG = "the delivery of my order from last tuesday has still not arrived at our house"
WORDS = ("order", "house", "letter", "garden", "window", "number", "market", "silver", "thunder", "paper", "river")


def texts(count: int) -> list[str]:
    chance = random.Random(3)
    return [" ".join(chance.choice(WORDS) + str(chance.randrange(999)) for _ in range(12)) for _ in range(count)]


def test_a_copy_with_a_changed_word_is_found() -> None:
    content = [*texts(50), LONG, *texts(100)[50:], LONG.replace("tuesday", "tuesdav")]
    [found] = near_copies(content, ["train"] * len(content))
    assert found["name"] == "near-duplicates"
    assert found["rows"] == [50, 101]
    assert found["text"].startswith("2 rows")


def test_across_the_splits_it_is_leakage() -> None:
    content = [LONG, *texts(20), f"{LONG} yet"]
    _, found = near_copies(content, ["golden", *["train"] * 21])
    assert found["name"] == "near-leakage"
    assert found["text"].startswith("1 training rows")
    assert found["rows"] == [0, 21]


def test_equal_short_and_other_texts_are_none() -> None:
    # Equal texts have a finding of their own; short ones are like each other by chance.
    assert near_copies([LONG, LONG, "good day", "good days", *texts(200)], ["train"] * 204) == []
