"""What the trees of the reference are given, and what they answer."""

from __future__ import annotations

import numpy as np
import pytest
from tests.bench.tasks import trees


def rows(count: int) -> list[trees.Row]:
    generator = np.random.default_rng(0)
    sizes = generator.uniform(0, 100, count)
    return [
        {"size": None if row % 13 == 0 else float(size), "town": ("north", "south", None)[row % 3], "rent": 10.0 * size}
        for row, size in enumerate(sizes)
    ]


@pytest.mark.parametrize(("text", "found"), [("3", 3.0), ("-1.5", -1.5), ("", None), ("north", "north")])
def test_cells_are_numbers_where_they_can_be(text: str, found: object) -> None:
    assert trees.number(text) == found


def test_gaps_and_towns_never_seen_are_answered() -> None:
    given = rows(400)
    asked = [{"size": 50.0, "town": "the moon", "rent": 500.0}, {"size": 50.0, "town": None, "rent": 500.0}]
    assert trees.rmse(trees.values(given, asked, "rent"), asked, "rent") < 100


def test_the_probability_is_that_of_the_label_named() -> None:
    given = [{"size": row["size"], "rich": "yes" if row["rent"] > 500 else "no"} for row in rows(400)]
    asked = [{"size": 10.0, "rich": "no"}, {"size": 90.0, "rich": "yes"}]
    poor, rich = trees.chances(given, asked, "rich", "yes")
    assert poor < 0.2 < 0.8 < rich
