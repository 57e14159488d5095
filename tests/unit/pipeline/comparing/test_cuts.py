import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from tuneloop.pipeline.comparing.cuts import MOST_VALUES, cut


def test_few_values_are_slices_and_small_ones_are_left_out():
    values = ["cook"] * 30 + ["pilot"] * 20 + [None] * 12 + ["king"] * 3
    found, left = cut("job", values, 10)
    assert [(one.name, len(one.rows)) for one in found] == [("job=cook", 30), ("job=missing", 12), ("job=pilot", 20)]
    assert left == 3


def test_many_numbers_are_cut_into_quarters():
    values = [float(number) for number in range(200)] + [float("nan")] * 20
    found, left = cut("age", values, 15)
    assert [one.name for one in found][:2] == ["age 0 to 49.75", "age 49.75 to 99.5"]
    assert [len(one.rows) for one in found] == [50, 50, 50, 50, 20]
    assert found[-1].name == "age missing"
    assert left == 0


def test_many_texts_are_cut_by_length():
    values = ["x" * (number % 40) + str(number) for number in range(400)]
    found, _ = cut("text", values, 50)
    assert len(found) == 4
    assert found[0].name.startswith("length of text ")


def test_lists_that_nothing_orders_are_left_out():
    found, left = cut("words", [[str(number)] for number in range(100)], 5)
    assert (found, left) == ([], 100)


value = st.none() | st.integers(-5, 5) | st.floats(allow_nan=True, allow_infinity=False) | st.text(max_size=4)


@given(st.lists(value, max_size=300), st.integers(1, 30))
def test_no_row_is_in_two_slices_and_none_is_forgotten(values, least):
    found, left = cut("x", values, least)
    rows = np.concatenate([one.rows for one in found]) if found else np.array([])
    assert len(rows) == len(set(rows.tolist()))
    assert len(rows) + left == len(values)
    assert all(len(one.rows) >= least for one in found)
    assert len(found) <= MOST_VALUES + 1
