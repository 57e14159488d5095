from __future__ import annotations

from dataclasses import replace

import pytest
from tests.bench.tasks.line import Line

LINE = Line("flowers", "t", "150 rows", "m", "accuracy", "forest", 0.9, tuned=(0.88, 0.92), onnx=(0.88, 0.92))


@pytest.mark.parametrize(
    ("tuned", "changes", "reached"),
    [
        ((0.88, 0.92), {}, True),
        ((0.88, 0.91), {}, False),
        ((0.88, 0.92), {"strict": True}, False),
        ((0.91,), {"strict": True}, True),
        ((0.892,), {"tolerance": 0.01}, True),
        ((0.89,), {"tolerance": 0.01}, False),
        ((0.892,), {"tolerance": 0.01, "strict": True}, False),
        ((0.8,), {"higher_is_better": False}, True),
        ((0.908,), {"higher_is_better": False, "tolerance": 0.01}, True),
        ((0.91,), {"higher_is_better": False, "tolerance": 0.01}, False),
    ],
)
def test_the_mean_over_seeds_is_held_against_the_reference(tuned, changes, reached):
    assert replace(LINE, tuned=tuned, **changes).reached is reached
