from __future__ import annotations

import random

import numpy as np

from tuneloop.pipeline.findings.near import MOST_TEXTS, compared, near_copies

LONG = "the delivery of my order from last tuesday has still not arrived at our house"
WORDS = ("order", "house", "letter", "garden", "window", "number", "market", "silver", "thunder", "paper", "river")


def texts(count: int) -> list[str]:
    chance = random.Random(3)
    return [" ".join(chance.choice(WORDS) + str(chance.randrange(999)) for _ in range(12)) for _ in range(count)]


def test_a_copy_with_a_changed_word_is_found() -> None:
    content = [*texts(50), LONG, *texts(100)[50:], LONG.replace("tuesday", "tuesdav")]
    [found] = near_copies(content, ["train"] * len(content), range(len(content)))
    assert found["name"] == "near-duplicates"
    assert found["rows"] == [50, 101]
    assert found["text"].startswith("2 rows")


def test_across_the_splits_it_is_leakage() -> None:
    content = [LONG, *texts(20), f"{LONG} yet"]
    _, found = near_copies(content, ["golden", *["train"] * 21], range(22))
    assert found["name"] == "near-leakage"
    assert found["text"].startswith("1 training rows")
    assert found["rows"] == [0, 21]


def test_equal_short_and_other_texts_are_none() -> None:
    # Equal texts have a finding of their own; short ones are like each other by chance.
    assert near_copies([LONG, LONG, "good day", "good days", *texts(200)], ["train"] * 204, range(204)) == []


def test_rows_that_were_not_looked_at_are_told_and_found_ones_are_named_by_their_place() -> None:
    content = [*texts(50), LONG, LONG.replace("tuesday", "tuesdav")]
    places = [*range(50), 700, 701]
    placed = ["train"] * 1000
    placed[701] = "test"
    copies, leak = near_copies(content, placed, places)
    assert (copies["rows"], leak["rows"]) == ([700, 701], [700, 701])
    assert copies["text"].startswith("2 rows of 52 that were looked at are")
    assert leak["text"].startswith("1 training rows of 52 that were looked at are")


def test_all_rows_are_compared_or_blocks_from_the_first_to_the_last() -> None:
    assert compared(MOST_TEXTS).tolist() == list(range(MOST_TEXTS))
    for rows in (MOST_TEXTS + 1, 50_000, 2_000_000):
        places = compared(rows)
        assert len(places) <= MOST_TEXTS
        assert (places[0], places[-1]) == (0, rows - 1)
        steps = np.diff(places)
        # Copies often stand beside each other.
        assert (steps == 1).mean() > 0.98
        assert (steps.min(), steps.max() <= rows / 99) == (1, True)
