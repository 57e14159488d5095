"""Tables to tensors: scale, missing and unseen values, and what is refused."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from datasets import Dataset
from hypothesis import given
from hypothesis import strategies as st

from tuneloop.api import Columns, DataError, RequestError
from tuneloop.preprocessing import TabularPreprocessor

ROWS = Dataset.from_dict(
    {
        "id": ["1", "2", "3", "4"],
        "age": [20.0, 40.0, None, 30.0],
        "hours": [1, 2, 3, 4],
        "job": ["cook", "cook", None, "smith"],
        "income": ["low", "high", "low", "high"],
    }
)
COLUMNS = Columns({}, target="income", key="id")


@pytest.fixture
def preprocessor() -> TabularPreprocessor:
    return TabularPreprocessor.fit({}, COLUMNS, ROWS)


def test_every_other_column_is_an_input(preprocessor: TabularPreprocessor) -> None:
    assert [(c.name, c.kind, c.categories) for c in preprocessor.columns] == [
        ("age", "number", ()),
        ("hours", "number", ()),
        ("job", "category", ("cook", "smith")),
    ]
    assert [(t.name, t.shape) for t in preprocessor.tensors] == [
        ("numeric", ("batch", 3)),
        ("categorical", ("batch", 1)),
    ]
    assert preprocessor.cardinalities == (4,)


def test_missing_and_unseen_have_places_of_their_own(preprocessor: TabularPreprocessor) -> None:
    rows = [{"age": None, "hours": 2.5, "job": None}, {"age": 30, "hours": 2.5, "job": "pilot"}]
    (group,) = preprocessor.encode(preprocessor.check(rows))
    assert group.inputs["numeric"].tolist() == [[0.0, 0.0, 1.0], [0.0, 0.0, 0.0]]
    assert group.inputs["categorical"].tolist() == [[0], [1]]
    assert group.inputs["numeric"].dtype == np.float32


def test_it_is_restored_from_its_folder(preprocessor: TabularPreprocessor, tmp_path: Path) -> None:
    preprocessor.save(tmp_path)
    assert TabularPreprocessor.load(tmp_path).settings == preprocessor.settings


@pytest.mark.parametrize(
    ("row", "field", "reason"),
    [
        ({"age": 1, "hours": 1}, "job", "absent"),
        ({"age": 1, "hours": 1, "job": "cook", "x": 1}, "x", "not a column"),
        ({"age": "old", "hours": 1, "job": "cook"}, "age", "must be a number"),
        ({"age": True, "hours": 1, "job": "cook"}, "age", "must be a number"),
        ({"age": math.nan, "hours": 1, "job": "cook"}, "age", "finite"),
        ({"age": math.inf, "hours": 1, "job": "cook"}, "age", "finite"),
        ({"age": 10**400, "hours": 1, "job": "cook"}, "age", "finite"),
        ({"age": 1, "hours": 1, "job": ["cook"]}, "job", "must be a text"),
    ],
)
def test_a_bad_row_is_refused_with_its_place(
    preprocessor: TabularPreprocessor, row: dict[str, object], field: str, reason: str
) -> None:
    good = {"age": 1, "hours": 1, "job": "cook"}
    with pytest.raises(RequestError, match=reason) as caught:
        preprocessor.check([good, row])
    assert (caught.value.row, caught.value.field) == (1, field)


def test_a_number_as_category_is_the_same_as_its_text() -> None:
    fitted = TabularPreprocessor.fit({}, Columns({"zip": "zip"}, None), Dataset.from_dict({"zip": ["1", "2"]}))
    rows = fitted.check([{"zip": 1}, {"zip": 1.0}, {"zip": "1"}])
    assert {tuple(row) for row in fitted.encode(rows)[0].inputs["categorical"].tolist()} == {(2,)}


def test_a_table_without_inputs_or_with_an_absent_one_is_refused() -> None:
    with pytest.raises(DataError, match="no input column"):
        TabularPreprocessor.fit({}, Columns({}, "y"), Dataset.from_dict({"y": [1]}))
    with pytest.raises(DataError, match="no column 'z'; it has: y"):
        TabularPreprocessor.fit({}, Columns({"z": "z"}, "y"), Dataset.from_dict({"y": [1]}))


@given(
    st.lists(
        st.fixed_dictionaries(
            {
                "age": st.none() | st.floats(allow_nan=False, allow_infinity=False, width=32),
                "hours": st.none() | st.integers(-(10**9), 10**9),
                "job": st.none() | st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00")),
            }
        ),
        min_size=1,
        max_size=8,
    )
)
def test_whatever_is_accepted_gives_finite_inputs_in_range(rows: list[dict[str, object]]) -> None:
    preprocessor = TabularPreprocessor.fit({}, COLUMNS, ROWS)
    (group,) = preprocessor.encode(preprocessor.check(rows))
    assert np.isfinite(group.inputs["numeric"]).all()
    assert group.inputs["categorical"].min() >= 0
    assert group.inputs["categorical"].max() < preprocessor.cardinalities[0]
