"""Windows cover every token, and each is read where it has most context."""

import itertools

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from tuneloop.api import Tensor
from tuneloop.preprocessing.windows import earliest, group_windows, owners, window_starts


@given(st.integers(1, 400), st.integers(4, 60), st.integers(0, 30))
def test_windows_cover_all_tokens_overlap_and_end_with_the_last(count, size, overlap):
    overlap = min(overlap, size // 2)
    starts = window_starts(count, size, overlap)
    assert starts[0] == 0
    assert starts == sorted(set(starts))
    assert starts[-1] + size >= count
    assert len(starts) == 1 or starts[-1] + size == count
    for before, after in itertools.pairwise(starts):
        assert before + size - after >= overlap


@given(st.integers(1, 200), st.integers(4, 40), st.integers(0, 20))
def test_each_place_has_one_owner_that_holds_it_and_owners_rise(count, size, overlap):
    starts = window_starts(count, size, min(overlap, size // 2))
    places = list(range(count))
    found = owners(places, starts, min(size, count))
    assert found == sorted(found)
    assert all(starts[w] <= place < starts[w] + size for place, w in zip(places, found, strict=True))


def test_the_owner_is_where_the_place_is_furthest_from_an_edge():
    # Windows 0..9 and 6..15: token 7 has 2 behind it in the first, 1 before it in the second.
    assert owners([6, 7, 8, 9], [0, 6], 10) == [0, 0, 1, 1]


@given(st.integers(1, 200), st.integers(2, 40), st.data())
def test_the_earliest_window_that_holds_a_place_has_most_before_it(count, size, data):
    overlap = data.draw(st.integers(0, size // 2))
    starts = window_starts(count, size, overlap)
    places = sorted(data.draw(st.sets(st.integers(0, count - 1), min_size=1)))
    for place, window in zip(places, earliest(places, starts, size), strict=True):
        holding = [start for start in starts if start <= place < start + size]
        assert starts[window] == min(holding)
        assert place - starts[window] >= min(overlap, place)


def test_rows_of_one_shape_stand_in_one_group():
    axes = ("batch", "windows", "length")
    rows = [{"x": np.full(shape, number)} for number, shape in enumerate([(1, 3), (2, 3), (1, 2), (1, 3)])]
    groups = group_windows(rows, [Tensor("x", "int64", axes)])
    assert [(group.rows, group.inputs["x"].shape, group.length) for group in groups] == [
        ((2,), (1, 1, 2), 2),
        ((0, 3), (2, 1, 3), 3),
        ((1,), (1, 2, 3), 3),
    ]
    assert groups[1].inputs["x"][1, 0, 0] == 3
