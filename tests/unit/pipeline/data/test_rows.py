import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tuneloop.api import DataError
from tuneloop.config import load_project
from tuneloop.pipeline.data import check
from tuneloop.pipeline.data.rows import digests, normalised, resolve_columns
from tuneloop.plugins import default_manager

VALUES = st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.lists(st.floats(), max_size=3)


def test_case_space_and_kinds_of_missing_make_no_difference():
    assert normalised({"a": " Good  DAY", "b": math.nan}, ["a", "b"]) == normalised(
        {"a": "good day", "b": None}, ["a", "b"]
    )


@given(st.lists(st.fixed_dictionaries({"a": VALUES, "b": VALUES}), max_size=6))
def test_any_values_have_a_digest_that_stands_for_their_content(rows):
    content = [normalised(row, ["a", "b"]) for row in rows]
    found = digests(rows, ["a", "b"]).tolist()
    assert len(found) == len(rows)
    assert [[one == other for other in found] for one in found] == [[x == y for y in content] for x in content]


def test_infinite_numbers_are_told_apart():
    values = [math.inf, -math.inf, math.nan, 1e308]
    assert len({normalised({"a": value}, ["a"]) for value in values}) == len(values)


def test_what_rows_say_of_their_licence_and_consent_is_no_input_of_a_table(tmp_path, scope_of):
    text = (
        "{name: income, task: tabular-classification, model: {base: tabular-mlp}, tune: {strategy: full},"
        " data: {source: csv, path: people.csv, columns: {label: income}}%s}"
    )
    keys = []
    for card in ("", ", card: {consent_column: agreed, license_column: terms}"):
        (tmp_path / "tuneloop.yaml").write_text(text % card)
        scope = scope_of(tmp_path, run=f"20260101-000000-{len(card):04}")
        columns = resolve_columns(scope.project, ["age", "agreed", "terms", "income"])
        keys.append((list(columns.inputs), check.STEP.inputs(scope)))
    assert [inputs for inputs, _ in keys] == [["age", "agreed", "terms"], ["age"]]
    assert keys[0][1] != keys[1][1], "another model is trained"


@pytest.mark.parametrize(
    ("columns", "names", "said"),
    [
        (
            "{target: incom}",
            ["age", "income"],
            r"'incom' \(the answer in data\.columns\)\. Did you mean 'income'",
        ),
        ("{target: income, inputs: [agee]}", ["age", "income"], r"'agee' \(data\.columns\)\. Did you mean 'age'\?"),
        (
            "{target: income, inputs: [x, yy]}",
            ["age", "income"],
            r"'x' \(data\.columns\), 'yy' \(data\.columns\)\. They",
        ),
    ],
)
def test_a_column_that_is_not_there_is_named_with_its_place_and_the_nearest(tmp_path, columns, names, said):
    (tmp_path / "tuneloop.yaml").write_text(
        "{name: income, task: tabular-classification, model: {base: tabular-mlp}, tune: {strategy: full},"
        f" data: {{source: csv, path: people.csv, columns: {columns}}}}}"
    )
    with pytest.raises(DataError, match=said):
        resolve_columns(load_project(tmp_path, default_manager()), names)
