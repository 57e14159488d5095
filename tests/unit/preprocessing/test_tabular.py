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
from tuneloop.preprocessing.tabular import TabularSettings

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


@pytest.mark.parametrize(("key", "where"), [("id", "the row with the key '3'"), (None, "row 2 of those to train on")])
def test_a_number_that_is_not_finite_is_found_again(key: str | None, where: str) -> None:
    rows = ROWS.remove_columns("age").add_column("age", [20.0, None, -math.inf, 30.0])
    with pytest.raises(DataError, match=f"column 'age' holds a number that is not finite: -inf in {where}"):
        TabularPreprocessor.fit({}, Columns({}, target="income", key=key), rows)


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


NUMBERS = Dataset.from_dict({"a": [0.0, 10.0, 20.0, 70.0, None], "b": [1.0, 2.0, 3.0, 4.0, 5.0], "y": [1.0] * 5})
ASKED = [{"a": 20.0, "b": 3.0}, {"a": None, "b": None}]


@pytest.mark.parametrize(
    ("options", "numeric"),
    [
        ({}, [[-5 / 725**0.5, 0, 0], [0, 0, 1]]),
        ({"impute": "median"}, [[-5 / 725**0.5, 0, 0], [-10 / 725**0.5, 0, 1]]),
        ({"impute": "zero"}, [[-5 / 725**0.5, 0, 0], [-25 / 725**0.5, -3 / 2**0.5, 1]]),
        ({"scale": "minmax"}, [[20 / 70, 0.5, 0], [25 / 70, 0.5, 1]]),
        ({"scale": "robust", "impute": "median"}, [[5 / 25, 0, 0], [0, 0, 1]]),
        ({"scale": "none"}, [[20, 3, 0], [25, 3, 1]]),
        ({"scale": "quantile"}, [[2 / 3, 0.5, 0], [0.7, 0.5, 1]]),
        ({"scale": "quantile", "pieces": 2, "impute": "zero"}, [[7 / 12, 0.5, 0], [0, 0, 1]]),
    ],
)
def test_numbers_are_scaled_and_filled_as_asked(
    options: dict[str, str], numeric: list[list[float]], tmp_path: Path
) -> None:
    made = TabularPreprocessor.fit(options, Columns({}, "y"), NUMBERS)
    made.save(tmp_path)
    for one in (made, TabularPreprocessor.load(tmp_path)):
        (group,) = one.encode(one.check(ASKED))
        np.testing.assert_allclose(group.inputs["numeric"], numeric, rtol=1e-6, atol=1e-7)


def test_pieces_are_counted_by_column() -> None:
    assert TabularPreprocessor.fit({}, Columns({}, "y"), NUMBERS).pieces == ()
    assert TabularPreprocessor.fit({"scale": "quantile"}, Columns({}, "y"), NUMBERS).pieces == (3, 4)


def test_components_stand_for_the_numbers(tmp_path: Path) -> None:
    made = TabularPreprocessor.fit({"components": 1}, Columns({}, "y"), NUMBERS)
    made.save(tmp_path)
    assert [(tensor.name, tensor.shape) for tensor in made.tensors] == [("numeric", ("batch", 2))]
    assert [column.name for column in made.columns] == ["a", "b"]
    rows = [{"a": a, "b": b} for a, b in zip(NUMBERS["a"], NUMBERS["b"], strict=True)]
    (group,) = made.encode(made.check(rows))
    (again,) = TabularPreprocessor.load(tmp_path).encode(made.check(rows))
    assert group.inputs["numeric"].tolist() == again.inputs["numeric"].tolist()
    assert group.inputs["numeric"][:, 0].std() == pytest.approx(1)
    assert group.inputs["numeric"][:, 1].tolist() == [0, 0, 0, 0, 1]


def test_a_table_of_categories_has_no_components() -> None:
    rows = Dataset.from_dict({"job": ["cook", "smith"], "y": [1, 2]})
    with pytest.raises(DataError, match="no numeric column to make components of"):
        TabularPreprocessor.fit({"components": 1}, Columns({}, "y"), rows)


def test_settings_of_older_artifacts_are_read() -> None:
    text = '{"order": ["a"], "numbers": [{"name": "a", "mean": 1, "scale": 2, "missing": false}], "categories": []}'
    made = TabularPreprocessor(TabularSettings.model_validate_json(text))
    assert made.encode(made.check([{"a": None}]))[0].inputs["numeric"].tolist() == [[0.0]]
